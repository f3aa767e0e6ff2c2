import { describe, expect, test } from 'vitest'
import { containerPath } from '../../../core/container-path.ts'
import { parseApiVersion } from '../../../spec/api-version.ts'
import { EMPTY_ANALYZED } from '../../../spec/files/analyzed.ts'
import { parseBuildpackId } from '../../../spec/names.ts'
import type { GeneratedDockerfile } from './outputs.ts'
import { chooseFromDockerfiles, withRunImage } from './run-image.ts'

/** `run`: goes on; `run+`: adds; `run:x`: switches to x; `run:x+`: both; `build+`: adds to the build image. */
function dockerfile(text: string): GeneratedDockerfile {
  const [, kind, base] = /^(run|build)(?::([^+]+))?/.exec(text) ?? []
  return {
    extension: parseBuildpackId('a/b'),
    kind: kind === 'run' ? 'run' : 'build',
    file: containerPath(`/${text}`),
    ...(base === undefined ? {} : { base }),
    extends: text.endsWith('+'),
    warnings: [],
  }
}

describe('the choice of run.Dockerfiles (IX-30, IX-31)', () => {
  test.each<[string, { base?: string; extend: boolean }, string[]]>([
    ['', { extend: false }, []],
    ['build+', { extend: false }, []],
    ['run', { extend: false }, []],
    ['run+ build+ run', { extend: true }, []],
    ['run:a', { base: 'a', extend: false }, []],
    ['run:a+', { base: 'a', extend: true }, []],
    ['run:a run+', { base: 'a', extend: true }, []],
    ['run+ build+ run:a', { base: 'a', extend: false }, ['/run+']],
    ['run:a+ run:b run', { base: 'b', extend: false }, ['/run:a+']],
    ['run run:a run:b+ build', { base: 'b', extend: true }, ['/run', '/run:a']],
  ])('%j', (texts, chosen, ignored) => {
    const choice = chooseFromDockerfiles(texts.split(' ').filter(Boolean).map(dockerfile))
    expect(choice).toMatchObject(chosen)
    expect('base' in choice).toBe('base' in chosen)
    expect([...choice.ignored].map(({ file }) => file)).toEqual(ignored)
  })
})

describe('analyzed.toml (IX-32, IX-33)', () => {
  const target = { os: 'linux', arch: 'amd64' }
  const runImage = { reference: 'run@sha256:1', image: 'run', extend: false, target }
  const analyzed = { ...EMPTY_ANALYZED, runImage }
  const chosen = (texts: string, platformApi: string, before = analyzed) =>
    withRunImage(before, chooseFromDockerfiles(texts.split(' ').map(dockerfile)), {
      platformApi: parseApiVersion(platformApi),
    }).runImage

  test('keeps what nobody changes', () => {
    expect(chosen('build+', '0.12')).toBe(runImage)
    expect(chosen('run:run', '0.12')).toBe(runImage)
    expect(chosen('run+', '0.12')).toEqual({ ...runImage, extend: true })
    expect(chosen('run:run+', '0.12')).toEqual({ ...runImage, extend: true })
  })

  test('names another image and forgets the target of the old one', () => {
    expect(chosen('run:b', '0.12')).toEqual({ reference: 'b', image: 'b', extend: false })
    expect(chosen('run:run@sha256:1+', '0.13')).toEqual({
      reference: 'run@sha256:1',
      image: 'run@sha256:1',
      extend: true,
    })
  })

  test('knows no names before 0.12: every switch is one', () => {
    expect(chosen('run:run', '0.11')).toEqual({ reference: 'run', image: 'run', extend: false })
  })

  test('has no run image to extend where there is none', () => {
    expect(
      withRunImage(EMPTY_ANALYZED, chooseFromDockerfiles([dockerfile('run+')]), {
        platformApi: parseApiVersion('0.12'),
      }),
    ).toEqual(EMPTY_ANALYZED)
  })
})
