import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { clearLeftovers } from '../../../src/node/files/leftovers.ts';

const built = (name: string): string =>
  JSON.stringify(new URL(`../../../dist/node/files/${name}.js`, import.meta.url).href);

/** Writes a model and its data, and is killed before its n-th rename. */
const SCRIPT = `
  import fs from 'node:fs';
  import { syncBuiltinESMExports } from 'node:module';
  const [last, overwrite] = process.argv.slice(1).map(Number);
  let count = -1;
  for (const name of ['linkSync', 'renameSync', 'rmSync', 'symlinkSync']) {
    const real = fs[name];
    fs[name] = (...args) => {
      if (count >= 0 && count++ === last) process.kill(process.pid, 'SIGKILL');
      return real(...args);
    };
  }
  syncBuiltinESMExports();
  const { fileSink, finishTogether } = await import(${built('sink')});
  const sinks = [];
  for (const path of ['m.onnx.data', 'm.onnx']) {
    const sink = await fileSink(path, { overwrite: overwrite === 1, ...(path === 'm.onnx' ? {} : { model: 'm.onnx' }) });
    await sink.write(Buffer.from('new ' + path));
    sinks.push(sink);
  }
  count = 0;
  await finishTogether(sinks);`;

let folder: string;
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What a reader finds: the first word of each file, or 'none'. */
function found(): string[] {
  return ['m.onnx', 'm.onnx.data'].map((name) =>
    existsSync(join(folder, name)) ? (readFileSync(join(folder, name), 'utf8').split(' ')[0] as string) : 'none',
  );
}

test.each([
  ['over an old pair', 1, ['old', 'old']],
  ['where nothing was', 0, ['none', 'none']],
])(
  'a run killed at any rename, %s, leaves nothing that the next run does not repair',
  async (_, overwrite, before) => {
    const ends = new Set<string>();
    for (let step = 0; ; step++) {
      folder = mkdtempSync(join(tmpdir(), 'killed-'));
      if (overwrite) for (const name of ['m.onnx', 'm.onnx.data']) writeFileSync(join(folder, name), `old ${name}`);
      const args = ['--input-type=module', '-e', SCRIPT, String(step), String(overwrite)];
      const done = spawnSync(process.execPath, args, { cwd: folder });
      const [model, data] = found();
      // A model is never beside the data of another.
      if (model !== 'none') expect([step, data]).toEqual([step, model]);
      if (done.status === 0) {
        expect(found()).toEqual(['new', 'new']);
        expect(readdirSync(folder)).toHaveLength(2);
        // All steps were tried: the lock, the backups, both names, and the cleanup.
        expect(step).toBeGreaterThan(5);
        break;
      }
      expect(done.signal).toBe('SIGKILL');
      await clearLeftovers(join(folder, 'm.onnx'));
      const after = found();
      expect([before.join(), 'new,new']).toContain(after.join());
      ends.add(after.join());
      expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
      rmSync(folder, { recursive: true });
    }
    expect(ends).toEqual(new Set([before.join(), 'new,new']));
  },
  60_000,
);
