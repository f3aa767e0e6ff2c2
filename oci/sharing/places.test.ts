import { readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { digestOf } from '../digest.ts'
import { temporaryDirectory } from '../testing/temporary.ts'
import { createPlaces } from './places.ts'

const digest = digestOf('a layer')

test('a place is known to every process, of its registry and blob, and the latest counts', () => {
  const directory = join(temporaryDirectory(), 'made/when/needed')
  const places = createPlaces(directory)
  expect(places.find('r.example', digest)).toBeUndefined()
  places.note('r.example', digest, 'team/app')
  expect(createPlaces(directory).find('r.example', digest)).toBe('team/app')
  expect(places.find('other.example', digest)).toBeUndefined()
  expect(places.find('r.example', digestOf('another'))).toBeUndefined()
  createPlaces(directory).note('r.example', digest, 'team/other')
  expect(places.find('r.example', digest)).toBe('team/other')
})

test('old places are forgotten', () => {
  const directory = temporaryDirectory()
  createPlaces(directory).note('r.example', digest, 'team/app')
  const [folder = ''] = readdirSync(directory)
  const [name = ''] = readdirSync(join(directory, folder))
  for (const [at, file] of ['old', 'new'].entries()) {
    writeFileSync(join(directory, folder, file), 'x')
    const time = Date.now() / 1000 - (at === 0 ? 31 : 29) * 86_400
    utimesSync(join(directory, folder, file), time, time)
  }
  createPlaces(directory).note('r.example', digest, 'team/app')
  expect(readdirSync(join(directory, folder)).toSorted()).toEqual([name, 'new'].toSorted())
})

test('a directory that cannot be used holds no places', () => {
  const file = join(temporaryDirectory(), 'file')
  writeFileSync(file, '')
  const places = createPlaces(file)
  places.note('r.example', digest, 'team/app')
  expect(places.find('r.example', digest)).toBeUndefined()
})
