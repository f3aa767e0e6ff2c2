import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { containerPath } from '../../../core/container-path.ts'
import { compileGlob } from './glob.ts'
import { type AppTree, readAppTree, sliceApp } from './slices.ts'
import { workbench } from './testing/workbench.ts'

describe('globs of slices, as Go matches them', () => {
  it.each([
    ['*', 'a', true],
    ['*', 'a/b', false],
    ['**', 'a/b', false],
    ['*/*', 'a/b', true],
    ['a*c', 'abbc', true],
    ['a?c', 'abc', true],
    ['a?c', 'a/c', false],
    ['?', 'é', true],
    ['[a-c]x', 'bx', true],
    ['[^a-c]x', 'bx', false],
    ['[^a-c]x', 'dx', true],
    ['[c-a]', 'b', false],
    ['[\\]]', ']', true],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['./static/', 'static', true],
    ['static//x', 'static/x', true],
    ['a/../b', 'b', true],
    ['a.b', 'axb', false],
    ['a\nb', 'a\nb', true],
    ['*', 'a\nb', true],
    ['', 'a', false],
  ])('%j and %j: %s', (pattern, path, matches) => {
    expect(compileGlob(pattern).test(path)).toBe(matches)
  })

  it.each(['[', '[]', '[]a]', '[a', '[a-', '[a-]', '[-a]', '[^', 'a\\', '[\\'])(
    '%j is a syntax error',
    (pattern) => {
      expect(() => compileGlob(pattern)).toThrow(
        expect.objectContaining({ code: 'EXPORT_SLICE_PATTERN_INVALID' }),
      )
    },
  )

  it('takes any escaped name for itself, and never throws anything but its own error', () => {
    const name = fc
      .string({ unit: 'binary', minLength: 1 })
      .filter((text) => !text.includes('/') && !/^\.+$/.test(text))
    fc.assert(
      fc.property(name, (text) => {
        expect(compileGlob(text.replace(/[*?[\]\\-]/gu, '\\$&')).test(text)).toBe(true)
      }),
    )
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('[', ']', '-', '^', '\\', '*', '?', 'a', '/') }),
        (pattern) => {
          try {
            compileGlob(pattern).test('a/a')
          } catch (error) {
            expect(error).toMatchObject({ code: 'EXPORT_SLICE_PATTERN_INVALID' })
          }
        },
      ),
    )
  })
})

const APP = containerPath('/workspace')

function tree(...files: readonly string[]): AppTree {
  const bench = workbench()
  bench.write(Object.fromEntries([['/workspace/', ''], ...files.map((file) => [`/workspace/${file}`, 'x'])]))
  return readAppTree(bench.root, APP)
}

function sliced(app: AppTree, ...slices: readonly (readonly string[])[]): string[][] {
  const layers = sliceApp(
    app,
    slices.map((paths) => ({ paths })),
  )
  return layers.map((layer) => layer.map((path) => path.slice('/workspace'.length)).sort())
}

describe('slices', () => {
  it('are all of the app where there is none', () => {
    expect(sliced(tree('a', 'b/c'))).toEqual([['', '/a', '/b', '/b/c']])
  })

  it('take a directory with all below it, and the first one wins', () => {
    expect(sliced(tree('static/a/x', 'static/y', 'z'), ['static/a'], ['static'])).toEqual([
      ['', '/static', '/static/a', '/static/a/x'],
      ['', '/static', '/static/y'],
      ['', '/z'],
    ])
  })

  it('leave a directory to the rest while something is left in it', () => {
    expect(sliced(tree('d/a', 'd/b'), ['d/a'])).toEqual([
      ['', '/d', '/d/a'],
      ['', '/d', '/d/b'],
    ])
    expect(sliced(tree('d/a', 'd/b'), ['d/*'])).toEqual([['', '/d', '/d/a', '/d/b'], []])
  })

  it('may be empty, and never reach outside of the app', () => {
    const app = tree('a')
    expect(sliced(app, ['../*', '/etc/passwd', 'none'], [])).toEqual([[], [], ['', '/a']])
  })

  it('may be absolute inside the app', () => {
    expect(sliced(tree('a', 'b'), ['/workspace/a'])).toEqual([
      ['', '/a'],
      ['', '/b'],
    ])
  })

  it('do not follow links', () => {
    const bench = workbench()
    bench.write({ '/workspace/real/file': 'x', '/workspace/link': '-> real' })
    expect(sliced(readAppTree(bench.root, APP), ['link/*'], ['link'])).toEqual([
      [],
      ['', '/link'],
      ['', '/real', '/real/file'],
    ])
  })

  it('have every file once, whatever the globs', () => {
    const app = tree('a', 'a.d/b', 'a.d/c/d', 'e/f/g', 'e/f/h', 'e/i')
    const part = fc.constantFrom('*', 'a', 'a.d', 'b', 'c', 'e', '?', 'f', 'g', '[ab]*')
    const glob = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'))
    fc.assert(
      fc.property(fc.array(fc.array(glob, { maxLength: 3 }), { maxLength: 4 }), (slices) => {
        const layers = sliced(app, ...slices)
        expect(layers).toHaveLength(slices.length + 1)
        const files = layers.flat().filter((path) => !app.children.has(containerPath(`/workspace${path}`)))
        expect(files.sort()).toEqual(['/a', '/a.d/b', '/a.d/c/d', '/e/f/g', '/e/f/h', '/e/i'])
        for (const layer of layers) {
          // A tar needs the directories of its files.
          for (const path of layer)
            if (path !== '') expect(layer).toContain(path.slice(0, path.lastIndexOf('/')))
        }
      }),
    )
  })
})
