import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resolveTemporalCli, TemporalCliError } from '../../src/config/temporal-cli.js';

const NEW_ENOUGH = 'temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)';
const SYSTEM_PATH = ['/usr/bin', '/bin'].join(delimiter);

let root: string;
let bin: string;
let cacheDir: string;
let env: Record<string, string>;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'resolver-'));
  bin = join(root, 'bin');
  cacheDir = join(root, 'cache');
  await mkdir(bin);
  await mkdir(cacheDir);
  // Only scripts of ours: a `temporal` or a `go` of this machine must not decide a test.
  env = { PATH: bin, HOME: root };
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function script(path: string, body: string): Promise<string> {
  await writeFile(path, `#!/bin/sh\nPATH=${SYSTEM_PATH}\n${body}\n`);
  await chmod(path, 0o755);
  return path;
}

const temporal = (path: string, version = NEW_ENOUGH) => script(path, `echo '${version}'`);
const noDownload = async (): Promise<string> => {
  throw new Error('no network here');
};
const resolve = (log: string[] = []) =>
  resolveTemporalCli({ env, cacheDir, download: noDownload, log: (line) => log.push(line) });

/** A `go` that builds what it is told to, into GOBIN. */
const fakeGo = (version = NEW_ENOUGH) =>
  script(
    join(bin, 'go'),
    `case "$1" in
install) echo "$@" > "${root}/installed"; printf '#!/bin/sh\\necho "${version}"\\n' > "$GOBIN/temporal"; chmod +x "$GOBIN/temporal" ;;
env) printf '\\n${root}/gopath\\n' ;;
version) echo go version go1.26 ;;
esac`,
  );

async function failure(promise: Promise<string>): Promise<TemporalCliError> {
  const error = await promise.catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(TemporalCliError);
  return error as TemporalCliError;
}

describe('the temporal command', () => {
  it('is the one that TEMPORAL_CLI names, before all others', async () => {
    await temporal(join(bin, 'temporal'));
    env.TEMPORAL_CLI = await temporal(join(root, 'mine'));
    expect(await resolve()).toBe(env.TEMPORAL_CLI);
  });

  it('is not looked for elsewhere when TEMPORAL_CLI is broken', async () => {
    await temporal(join(bin, 'temporal'));
    env.TEMPORAL_CLI = await script(join(root, 'mine'), 'echo broken pipe >&2; exit 3');
    const error = await failure(resolve());
    expect(error.failed).toHaveLength(1);
    expect(error.message).toMatch(/TEMPORAL_CLI: .*mine does not start: broken pipe/);
  });

  it('is not looked for elsewhere when TEMPORAL_CLI is no file', async () => {
    env.TEMPORAL_CLI = join(root, 'nothing');
    expect((await failure(resolve())).message).toContain('is not an executable file');
  });

  it('is found on PATH before the cache', async () => {
    await temporal(join(cacheDir, 'temporal-1.5.1'));
    const onPath = await temporal(join(bin, 'temporal'));
    expect(await resolve()).toBe(onPath);
  });

  it('is found where Go installs commands, when PATH does not have it', async () => {
    await fakeGo();
    await mkdir(join(root, 'gopath', 'bin'), { recursive: true });
    const built = await temporal(join(root, 'gopath', 'bin', 'temporal'), 'temporal version 0.0.0-DEV (Server 1.29.1)');
    expect(await resolve()).toBe(built);
  });

  it.each([
    'temporal version 1.4.9 (Server 1.28.0)',
    'temporal version 0.0.0-DEV (Server 1.28.1, UI 2.4)',
    'something else',
  ])('is not taken from PATH when it says %j', async (version) => {
    await temporal(join(bin, 'temporal'), version);
    const cached = await temporal(join(cacheDir, 'temporal-1.5.1'));
    expect(await resolve()).toBe(cached);
  });

  it.each(['temporal version 1.6.0', 'temporal version 2.0.0', 'temporal version 0.0.0-DEV (Server 1.30.0)'])(
    'is taken from PATH when it says %j',
    async (version) => {
      const onPath = await temporal(join(bin, 'temporal'), version);
      expect(await resolve()).toBe(onPath);
    },
  );

  it('is downloaded into the cache before it is built', async () => {
    await fakeGo();
    const download = (folder: string) => temporal(join(folder, 'downloaded'));
    expect(await resolveTemporalCli({ env, cacheDir, download })).toBe(join(cacheDir, 'temporal-1.5.1'));
    expect(await readdir(cacheDir)).toEqual(['temporal-1.5.1']);
    expect(await readdir(root)).not.toContain('installed');
  });

  it('is built with Go as the last resort, after a line that says how long that takes', async () => {
    await fakeGo();
    const log: string[] = [];
    expect(await resolve(log)).toBe(join(cacheDir, 'temporal-1.5.1'));
    expect(log.at(-1)).toMatch(/Go.*about three minutes/);
    expect(await readdir(cacheDir)).toEqual(['temporal-1.5.1']);
  });

  it('is whole when two processes build it at once', async () => {
    await fakeGo();
    const both = await Promise.all([resolve(), resolve()]);
    expect(new Set(both)).toEqual(new Set([join(cacheDir, 'temporal-1.5.1')]));
    expect(await readdir(cacheDir)).toEqual(['temporal-1.5.1']);
  });

  it('is missed with the reason of every step, and with what to do', async () => {
    await temporal(join(bin, 'temporal'), 'temporal version 1.1.0');
    const error = await failure(resolve());
    expect(error.failed.map(({ step }) => step)).toEqual(['PATH', 'cache', 'download', 'go install']);
    expect(error.message).toMatch(/PATH: .*temporal is too old or something else \(temporal version 1\.1\.0\)/);
    expect(error.message).toMatch(/cache: .*temporal-1\.5\.1 is not an executable file/);
    expect(error.message).toContain('download: no network here');
    expect(error.message).toContain('go install: there is no `go`');
    expect(error.message).toContain('set TEMPORAL_CLI');
    expect(await readdir(cacheDir)).toEqual([]);
  });

  it('is missed with what Go said when it could not build', async () => {
    await script(join(bin, 'go'), '[ "$1" = install ] && { echo no such module >&2; exit 1; }; echo');
    expect((await failure(resolve())).message).toContain('go install: no such module');
  });
});
