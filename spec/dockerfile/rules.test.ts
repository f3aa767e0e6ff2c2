import { describe, expect, test } from 'vitest'
import { readDockerfile } from './rules.ts'

const source = { file: 'x.Dockerfile' }
const BASE = '$' + '{base_image}'
const build = (text: string) => readDockerfile('build', text, source)
const run = (text: string) => readDockerfile('run', text, source)

describe('build.Dockerfile (IX-20)', () => {
  test('begins with the base image as its argument', () => {
    expect(build(`ARG base_image\nFROM ${BASE}\nRUN x`)).toEqual({ extends: true, warnings: [] })
    expect(build(`ARG base_image=a other\nFROM ${BASE} AS b`)).toEqual({ extends: false, warnings: [] })
  })

  test.each([
    [`FROM ${BASE}`, 'build.Dockerfile did not start with required ARG command'],
    [`ARG other\nFROM ${BASE}`, 'build.Dockerfile did not start with required ARG command'],
    [`ARG base_image\nARG b\nFROM ${BASE}`, 'build.Dockerfile did not start with required ARG command'],
    ['ARG base_image\nFROM x', 'build.Dockerfile did not contain required FROM'],
    ['ARG base_image', 'build.Dockerfile should have at least one stage'],
    [
      `ARG base_image\nFROM ${BASE}\nFROM x`,
      'x.Dockerfile:3: build.Dockerfile is not permitted to use multistage build',
    ],
    [`ARG base_image\nRUN x\nFROM ${BASE}`, 'x.Dockerfile:2: RUN before the first FROM'],
    [`ARG =x\nFROM ${BASE}`, 'ARG names can not be blank'],
  ])('%j is refused', (text, message) => {
    expect(() => build(text)).toThrow(message)
  })
})

describe('run.Dockerfile (IX-21)', () => {
  test('goes on with the run image, or switches to another', () => {
    expect(run(`ARG base_image\nFROM ${BASE}\nUSER x`)).toEqual({ extends: true, warnings: [] })
    expect(run('FROM some/run@sha256:x')).toEqual({
      base: 'some/run@sha256:x',
      extends: false,
      warnings: [],
    })
    expect(run('FROM a\nRUN x')).toMatchObject({ base: 'a', extends: true })
  })

  test.each([
    ['FROM a b', 'FROM requires either one or three arguments'],
    ['FROM a AS 1b', 'invalid name for build stage: "1b"'],
    ['FROM a\nFROM b', 'run.Dockerfile is not permitted to use multistage build'],
    ['FROM $base_image', `FROM takes ${BASE} or the name of an image, not $base_image`],
  ])('%j is refused', (text, message) => {
    expect(() => run(text)).toThrow(message)
  })
})

test('other instructions are advised against (IX-22)', () => {
  expect(run('FROM a\nRUN x \\\n  y\nEXPOSE 80\nONBUILD RUN x\nENTRYPOINT []').warnings).toEqual([
    'run.Dockerfile command EXPOSE on line 4 is not recommended',
    'run.Dockerfile command ONBUILD on line 5 is not recommended',
    'run.Dockerfile command ENTRYPOINT on line 6 is not recommended',
  ])
})
