/** Pipes read by a thread. It runs the built package, so these tests do too. */
import { execFileSync, spawnSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { environment, ROOT } from '../../support/cli.ts';

/** Spools the output of `producer` in its own process; returns what that process prints. */
function spooled(producer: string, report: string, limit = 2 ** 31): string {
  const script = `
    import { createHash } from 'node:crypto';
    import { spoolPipe } from '${ROOT}/dist/node/files/spool.js';
    const source = await spoolPipe(0, { limit: ${limit} }).catch((cause) => cause);
    ${report}
    await source.close?.();`;
  const line = `${producer} | "${process.execPath}" --input-type=module -e "$SCRIPT"`;
  return execFileSync('bash', ['-c', line], {
    env: { ...environment(), SCRIPT: script },
    encoding: 'utf8',
  });
}

const DIGEST = `
  const hash = createHash('sha256');
  for (let at = 0; at < source.byteLength; at += 1 << 20)
    hash.update(await source.read(at, Math.min(source.byteLength, at + (1 << 20))));
  console.log(source.byteLength, source.files === undefined ? 'memory' : 'file', hash.digest('hex'));`;

/** Bytes that differ from megabyte to megabyte. */
function numbers(lines: number): { producer: string; expected: string } {
  const producer = `seq ${lines}`;
  const bytes = execFileSync('seq', [String(lines)], { maxBuffer: 1 << 27 });
  const digest = execFileSync('sha256sum', { input: bytes, encoding: 'utf8' }).split(' ')[0];
  return { producer, expected: `${bytes.length} ${lines > 600_000 ? 'file' : 'memory'} ${digest}\n` };
}

test.each([1, 20_000, 500_000, 2_000_000])('%p lines arrive completely, in memory or in a file', (lines) => {
  const { producer, expected } = numbers(lines);
  expect(spooled(producer, DIGEST)).toBe(expected);
});

test('waits for a slow producer that writes small pieces', () => {
  const producer = `{ head -c 5000000 /dev/zero; for i in 1 2 3; do sleep 0.05; printf $i; done; }`;
  const report = `console.log(source.byteLength, Buffer.from(await source.read(5000000, 5000003)).toString());`;
  expect(spooled(producer, report)).toBe('5000003 123\n');
});

test('refuses nothing, and more than the limit', () => {
  const report = 'console.log(source.code, source.message);';
  expect(spooled('true', report)).toBe('malformed <stdin>: no data arrived; a model was expected\n');
  expect(spooled('head -c 9000000 /dev/zero', report, 8_000_000)).toBe(
    'limit <stdin>: more than 2 GiB arrived; ONNX files are smaller than that\n',
  );
});

test('waits for a non-blocking pipe', () => {
  const script = `
    import { spoolPipe } from '${ROOT}/dist/node/files/spool.js';
    process.stdin.resume(); // A stream sets the pipe not to block.
    process.stdin.pause();
    const source = await spoolPipe(0);
    console.log(source.byteLength);
    process.exit(0);`;
  const line = `{ sleep 0.1; head -c 6000000 /dev/zero; sleep 0.1; printf end; } | "${process.execPath}" --input-type=module -e "$SCRIPT"`;
  const done = spawnSync('bash', ['-c', line], { env: { ...environment(), SCRIPT: script }, encoding: 'utf8' });
  expect([done.stdout, done.stderr]).toEqual(['6000003\n', '']);
});
