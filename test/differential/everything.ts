import type { BuildpackParts } from '../../lifecycle/commands/testing/lifecycle.ts'
import type { World } from './world.ts'

/** Bash buildpacks that use all of the interface at once, and print what they were given. */

const SEE = `umask 022
echo "arguments: $#"
env | LC_ALL=C sort | grep -vE '^(_|SHLVL|PWD|OLDPWD)='
pwd`

const PLAN = 'echo "plan, its entries come in any order:"; LC_ALL=C sort "$CNB_BP_PLAN_PATH"'

const everything: BuildpackParts = {
  version: '1.2.3',
  toml: `name = "Everything & more"
homepage = "https://example.test/<everything>?a=1&b=2"
sbom-formats = ["application/vnd.cyclonedx+json", "application/spdx+json;version=2.3"]
[[targets]]
os = "linux"
[metadata]
some = "thing"
`,
  detect: `${SEE}
cat >"$CNB_BUILD_PLAN_PATH" <<'END'
[[provides]]
name = "nobody wants this"
[[or]]
[[or.provides]]
name = "dep"
[[or.provides]]
name = "node"
[[or.requires]]
name = "dep"
[or.requires.metadata]
version = "1.x"
integer = 9007199254740993
float = 1.50
big = 1e21
whole = 3.0
when = 2020-01-02T03:04:05.678Z
day = 2020-01-02
truth = true
text = "quote \\" tab \\t newline \\n bell \\u0007 ü <&>"
empty = ""
list = [1, 2, 3]
texts = ["b", "a"]
mixed = [[1], ["x"]]
tables = [{ b = 1, a = 2 }, { c = 3 }]
none = []
[or.requires.metadata.deep.er]
"odd key" = 1
z = "z"
A = "A"
END`,
  build: `${SEE}
${PLAN}
cd "$CNB_LAYERS_DIR"
mkdir -p all/bin all/lib all/env all/env.build all/env.launch/web all/exec.d/web all/profile.d all/include all/pkgconfig
printf '#!/bin/sh\\n' >all/bin/tool; chmod 755 all/bin/tool
printf 'a' >all/env/BARE; printf 'b' >all/env/APPENDED.append; printf ':' >all/env/APPENDED.delim
printf 'p' >all/env/PREPENDED.prepend; printf 'd' >all/env/DEFAULTED.default; printf 'o' >all/env/OVERRIDDEN.override
printf 'x' >all/env/ODD.a.b; printf 'build' >all/env.build/ONLY_BUILD; printf 'launch' >all/env.launch/ONLY_LAUNCH
printf 'web' >all/env.launch/web/ONLY_WEB
printf '#!/bin/sh\\n' >all/exec.d/web/helper; chmod 755 all/exec.d/web/helper
printf 'export P=1\\n' >all/profile.d/p.sh
printf '[types]\\nbuild = true\\nlaunch = true\\ncache = true\\n[metadata]\\nwhen = 2020-01-02T03:04:05Z\\nday = 2020-01-02\\nn = 1\\nf = 2.5\\nwhole = 4.0\\nurl = "a&b<c>"\\n[metadata.z]\\nb = [1, 2]\\na = [{ x = "y" }]\\n' >all.toml
echo '{"cdx":"all"}' >all.sbom.cdx.json
echo '{"spdx":"all"}' >all.sbom.spdx.json

mkdir -p odd/a odd/empty "odd/with space" odd/a-b
cd odd
printf 1 >a/b; printf 2 >a-b/c; printf 3 >a.txt; printf 4 >'ü'; printf 5 >$'latin-\\xff'; printf 6 >$'new\\nline'; : >zero
ln -s a/b relative; ln -s "$CNB_LAYERS_DIR/odd/a" absolute; ln -s nowhere dangling
ln -s "$(printf 'l%.0s' {1..150})" long-link
mkdir -p "$(printf 'd%.0s' {1..120})/$(printf 'e%.0s' {1..120})"
printf 7 >"$(printf 'd%.0s' {1..120})/$(printf 'e%.0s' {1..120})/$(printf 'f%.0s' {1..90})"
printf 8 >"$(printf 'g%.0s' {1..140})"
ln a/b hard; mkfifo pipe
printf x >executable; chmod 751 executable; printf x >secret; chmod 600 secret; printf x >set; chmod 6755 set
mkdir sticky; chmod 1777 sticky
cd ..
printf '[types]\\nlaunch = true\\n' >odd.toml

mkdir building cached neither without kept-apart
printf c >building/f; printf '[types]\\nbuild = true\\n' >building.toml
printf c >cached/f; printf '[types]\\ncache = true\\n[metadata]\\nkey = "value"\\n' >cached.toml
echo '{"cdx":"cached"}' >cached.sbom.cdx.json
printf c >neither/f; printf '[metadata]\\nkey = "value"\\n' >neither.toml
printf c >without/f
printf c >kept-apart/f; printf '[types]\\nbuild = true\\ncache = true\\n' >kept-apart.toml
mkdir launch-and-cache; printf c >launch-and-cache/f; printf '[types]\\nlaunch = true\\ncache = true\\n' >launch-and-cache.toml

echo '{"cdx":"launch"}' >launch.sbom.cdx.json
echo '{"cdx":"build"}' >build.sbom.cdx.json
printf '[metadata]\\nanswer = 42\\n[metadata.sub]\\nb = "b"\\na = 1.0\\n' >store.toml
printf '[[unmet]]\\nname = "node"\\n' >build.toml
cat >launch.toml <<'END'
[[labels]]
key = "everything.label"
value = "a < b & c > \\"d\\""
[[labels]]
key = "redefined"
value = "first"
[[processes]]
type = "web"
command = ["serve", "--always"]
args = ["--default"]
default = true
[[processes]]
type = "worker"
command = ["work"]
working-dir = "/somewhere"
[[processes]]
type = "redefined"
command = ["first"]
[[slices]]
paths = ["static/*", "docs"]
[[slices]]
paths = ["nothing*"]
[[slices]]
paths = ["*.txt", "static/a.css", "deep/*/x"]
END
echo "to standard error" >&2
echo "no newline at the end" | tr -d '\\n'`,
}

const old: BuildpackParts = {
  api: '0.8',
  version: '0.5',
  toml: `[[stacks]]
id = "*"
`,
  detect: `${SEE}
printf '[[provides]]\\nname = "node"\\n[[requires]]\\nname = "node"\\n[requires.metadata]\\nby = "old"\\n[[requires]]\\nname = "dep"\\n' >"$2"`,
  build: `${SEE}
${PLAN}
cd "$1"
mkdir -p tool/bin; printf '[types]\\nlaunch = true\\nbuild = true\\n' >tool.toml
cat >launch.toml <<'END'
[[processes]]
type = "shell"
command = "echo $HOME"
[[processes]]
type = "direct"
command = "echo"
args = ["a", "b"]
direct = true
[[processes]]
type = "redefined"
command = "second"
[[labels]]
key = "redefined"
value = "second"
END`,
}

const last: BuildpackParts = {
  api: '0.10',
  version: '1.0.0',
  toml: `clear-env = true
[[targets]]
os = "linux"
arch = "amd64"
[[targets.distros]]
name = "debian"
version = "13"
`,
  detect: SEE,
  build: `${SEE}
${PLAN}
cd "$1"; mkdir empty; printf '[types]\\nlaunch = true\\n' >empty.toml`,
}

const ORDER = `[[order]]
[[order.group]]
id = "x/fails"
version = "1.0.0"
[[order.group]]
id = "x/never"
version = "1.0.0"

[[order]]
[[order.group]]
id = "a/everything"
version = "1.2.3"
[[order.group]]
id = "x/optional"
version = "1.0.0"
optional = true
[[order.group]]
id = "a/composite"
version = "1.0.0"
[[order.group]]
id = "a/last"
version = "1.0.0"
`

/** A build of everything at once. */
export const EVERYTHING: World = {
  order: ORDER,
  buildpacks: {
    'a/everything': everything,
    'a/old': old,
    'a/last': last,
    'a/composite': {
      api: '0.12',
      toml: `[[order]]
[[order.group]]
id = "a/old"
version = "0.5"
[[order.group]]
id = "x/unmet"
version = "1.0.0"

[[order]]
[[order.group]]
id = "a/old"
version = "0.5"
[[order.group]]
id = "x/unmet"
version = "1.0.0"
optional = true
`,
    },
    'x/fails': { detect: 'echo not mine; echo and an error >&2; exit 100' },
    'x/never': { detect: 'exit 0' },
    'x/optional': { detect: 'exit 100' },
    'x/unmet': { detect: 'printf \'[[requires]]\\nname = "what nobody has"\\n\' >"$2"' },
  },
  files: {
    'app/server.js': 'listen()\n',
    'app/readme.txt': 'read me\n',
    'app/static/a.css': 'a\n',
    'app/static/sub/b.css': 'b\n',
    'app/docs/index.html': 'docs\n',
    'app/deep/one/x': 'x\n',
    'app/deep/two/y': 'y\n',
    'platform/env/OF_THE_USER': 'value\n',
    'platform/env/PATH': '/of/the/user',
    'platform/bindings/db/type': 'postgres',
    'config/env/BY_OPERATOR': 'default',
    'config/env/OF_THE_USER.append': '+operator',
    'project.toml':
      '[source]\ntype = "git"\n[source.version]\ncommit = "abc"\n[source.metadata]\nrepository = "r"\n',
    'run.toml':
      '[[images]]\nimage = "registry.test/run"\nmirrors = ["mirror.test/run"]\n[[images]]\nimage = "other.test/run"\n',
    'stack.toml': '[run-image]\nimage = "registry.test/run"\nmirrors = ["mirror.test/run"]\n',
  },
}
