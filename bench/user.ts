import { readFileSync } from 'node:fs'

/** Who builds: root hands over to the first ordinary user that the machine knows, as the Go lifecycle looks them up. */
export function builderUser(): { readonly uid: number; readonly gid: number } {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0]
  if (uid !== 0) return { uid, gid }
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':').slice(2, 4).map(Number))
  const [id = 65534, group = 65534] = users.find(([id = 0]) => id >= 1000) ?? []
  return { uid: id, gid: group }
}
