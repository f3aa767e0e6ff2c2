// The program behind bin/detect and bin/build, bundled as buildpack.cjs beside buildpack.toml.
import '../../native/restore-environment.ts'
import { main } from '../sdk/main.ts'
import { nodeBuildpack } from './node-buildpack.ts'

void main(nodeBuildpack)
