/** A model passed between two of our processes as a file. Needs the built package, because both ends run it. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { environment, folder, ROOT } from '../../support/cli.ts';

const CODE = `
  import { createHash } from 'node:crypto';
  import { setTimeout as sleep } from 'node:timers/promises';
  import { stdoutSink } from '${ROOT}/dist/node/files/standard.js';
  import { spoolPipe } from '${ROOT}/dist/node/files/spool.js';
  import { announce } from '${ROOT}/dist/node/files/handover.js';
  import { removeTemporaries } from '${ROOT}/dist/node/files/temporary.js';
  import { readdirSync } from 'node:fs';
  const bytes = Buffer.alloc(9_000_000);
  for (let at = 0; at < bytes.length; at += 1000) bytes.writeUInt32LE(at, at);
  /** Waits for a name to appear in the folder for temporary files. */
  async function seen(pattern) {
    for (let tries = 0; tries < 4000; tries++) {
      const name = readdirSync(process.env.TMPDIR).find((one) => pattern.test(one));
      if (name !== undefined) return name;
      await sleep(5);
    }
    throw new Error('nobody came');
  }
  const ANNOUNCEMENT = /-pipe2-\\d+$/;
  const MODEL = /^onnx-compress-(?!.*-pipe2-)/;`;

/** Writes `bytes` to standard output; prints whether they went into a file. */
const WRITE = `
  const sink = await stdoutSink(process.stdout);
  await sink.write(bytes.subarray(0, 2_000_000));
  const { position } = await sink.reserve(0);
  console.error(position === undefined ? 'through the pipe' : 'as a file');
  await sink.write(bytes.subarray(2_000_000));
  await sink.finish().catch(async (cause) => {
    await sink.abort();
    console.error(cause.message);
    process.exitCode = 1;
  });`;

/** The same with two million bytes from another file; runs `last` at the end. */
const REFER = (last: string): string => `
  import { openSync, writeFileSync } from 'node:fs';
  const other = process.env.TMPDIR + '/other';
  writeFileSync(other, bytes.subarray(1_000_000));
  const fd = openSync(other, 'r');
  await seen(ANNOUNCEMENT);
  const sink = await stdoutSink(process.stdout);
  await sink.write(bytes.subarray(0, 2_000_000));
  const done = await sink.refer(2_000_000, async () => ({ fd, position: 1_000_000 }));
  const not = await sink.refer(2_000_000, async () => undefined);
  console.error(done, not);
  ${last}`;

const REST = `
  await sink.write(bytes.subarray(4_000_000));
  await sink.finish().catch(async (cause) => {
    await sink.abort();
    console.error(cause.message);
    process.exitCode = 1;
  });`;

/** Reads standard input; prints what arrived. */
const READ = `
  const source = await spoolPipe(0);
  const hash = createHash('sha256').update(await source.read(0, source.byteLength));
  await (async () => source.unchanged?.())().then(
    () => console.log(source.byteLength, hash.digest('hex')),
    (cause) => console.log(cause.code, cause.message));
  await source.close();`;

/**
 * Runs a line of bash in which `write` writes, `late` writes once a reader waits, and `read` reads. Temporary files go
 * to a folder.
 */
function run(line: string, more: Readonly<Record<string, string>> = {}, mode = 0o700) {
  const temporary = folder();
  chmodSync(temporary, mode);
  const scripts = { WRITE, LATE: `await seen(ANNOUNCEMENT);${WRITE}`, READ, ...more };
  const variables = Object.entries(scripts).map(([name, code]) => [`${name}_CODE`, CODE + code]);
  const functions = Object.keys(scripts).map(
    (name) => `${name.toLowerCase()}() { "${process.execPath}" --input-type=module -e "$${name}_CODE"; }`,
  );
  const done = spawnSync('bash', ['-c', [...functions, line].join('\n')], {
    env: { ...environment(), ...Object.fromEntries(variables), TMPDIR: temporary },
    encoding: 'utf8',
  });
  return { out: done.stdout, said: done.stderr, code: done.status, temporary, left: readdirSync(temporary) };
}

const BYTES = Buffer.alloc(9_000_000, 0);
for (let at = 0; at < BYTES.length; at += 1000) BYTES.writeUInt32LE(at, at);

function told(bytes: Uint8Array): string {
  return `${bytes.length} ${createHash('sha256').update(bytes).digest('hex')}\n`;
}

/** Exit codes of the commands of a pipe. */
const STATUS = '$' + '{PIPESTATUS[@]}';

const linux = process.platform === 'linux' ? test : test.skip;

linux('to a reader of ours as a file, of which nothing is left', () => {
  const done = run(`late | read; echo ${STATUS}`);
  expect(done).toMatchObject({ out: `${told(BYTES)}0 0\n`, said: 'as a file\n', left: [] });
});

/** The error of a reader that would otherwise take the wrong bytes for a model. */
const BEHIND = 'io <stdin>: there is data after the model\n';

linux('nothing may come behind it', () => {
  const done = run('{ late; printf tail; } | read');
  expect(done).toMatchObject({ out: BEHIND, said: 'as a file\n', left: [] });
  const later = run('{ late; sleep 0.5; printf tail; } | read');
  expect(later).toMatchObject({ out: BEHIND, said: 'as a file\n', left: [] });
  const twice = run('{ late; write; } | read');
  expect(twice).toMatchObject({ out: BEHIND, left: [] });
});

linux('bytes of an open file are read where they lie, also when they come last; nothing may come behind them', () => {
  const all = run(`refer | read; echo ${STATUS}`, { REFER: REFER(REST) });
  expect(all).toMatchObject({ out: `${told(BYTES)}0 0\n`, said: 'true false\n', left: ['other'] });
  const short = REFER('await sink.finish();');
  const last = run('refer | read', { REFER: short });
  expect(last).toMatchObject({ out: told(BYTES.subarray(0, 4_000_000)), said: 'true false\n', left: ['other'] });
  const more = run('{ refer; printf tail; } | read', { REFER: short });
  expect(more).toMatchObject({ out: BEHIND, said: 'true false\n', left: ['other'] });
});

linux('a file that was changed before the reader opened it is refused by name, and both ends fail', () => {
  const change = `writeFileSync(other, 'short'); ${REST}`;
  const done = run(`refer | read 2> "$TMPDIR/refused"; echo ${STATUS}`, { REFER: REFER(change) });
  expect(done).toMatchObject({
    out: '1 1\n',
    said: 'true false\n<stdout>: the command that reads the output has stopped\n',
    left: ['other', 'refused'],
  });
  expect(readFileSync(join(done.temporary, 'refused'), 'utf8')).toContain('was changed while it was being read');
});

linux('to anybody else through the pipe, as ever; a short one too', () => {
  const digest = told(BYTES).split(' ')[1]?.trim();
  expect(run('write | sha256sum')).toMatchObject({ out: `${digest}  -\n`, said: 'through the pipe\n', left: [] });
  expect(run('write | cat | read')).toMatchObject({ out: told(BYTES), said: 'through the pipe\n', left: [] });
  const short = run('short | read', {
    SHORT: `await seen(ANNOUNCEMENT); const sink = await stdoutSink(process.stdout); await sink.write(Buffer.from('few')); await sink.finish();`,
  });
  expect(short).toMatchObject({ out: told(Buffer.from('few')), said: '', left: [] });
});

linux('a reader that ends without it, in order or killed: an error, and no file', () => {
  const wait = 'announce(0); await seen(MODEL);';
  const done = run(`late | gone; echo ${STATUS}`, { GONE: `${wait} removeTemporaries();` });
  const stopped = '<stdout>: the command that reads the output has stopped\n';
  expect(done).toMatchObject({ out: '1 0\n', said: `as a file\n${stopped}`, left: [] });
  const killed = run(`late | killed 2> /dev/null; echo ${STATUS}`, {
    KILLED: `${wait} process.kill(process.pid, 'SIGKILL');`,
  });
  // The announcement of the killed process stays until the next run.
  expect(killed).toMatchObject({ out: '1 137\n', said: `as a file\n${stopped}` });
  expect(killed.left.every((name) => /-pipe2-\d+$/.test(name))).toBe(true);
});

linux('a file is taken from the other end of the pipe only', () => {
  // Another program knows the name of our file and writes it into the pipe: the file is not touched.
  const done = run('other > /dev/null & forge | read; wait', {
    OTHER: `
      import { writeFileSync } from 'node:fs';
      import { newTag } from '${ROOT}/dist/node/files/owner.js';
      writeFileSync(process.env.TMPDIR + '/onnx-compress-' + newTag(), 'not yours');
      await seen(/^done$/);`,
    FORGE: `
      import { writeFileSync } from 'node:fs';
      await seen(ANNOUNCEMENT);
      const name = await seen(MODEL);
      process.stdout.write('\\0onnx-compress: the model is in ' + name.slice('onnx-compress-'.length) + ' 9\\n');
      process.on('exit', () => writeFileSync(process.env.TMPDIR + '/done', ''));`,
  });
  const name = done.left.find((one) => one.startsWith('onnx-compress-')) ?? '';
  expect(readFileSync(join(done.temporary, name), 'utf8')).toBe('not yours');
  expect(done).toMatchObject({ code: 0, out: '' });
  expect(done.said).toContain('<stdin>: the process that hands over a model does not write to this pipe');
});

linux('a link in the place of the file is refused in words', () => {
  const done = run(`link | read; echo ${STATUS}`, {
    LINK: `
      import { symlinkSync } from 'node:fs';
      import { newTag } from '${ROOT}/dist/node/files/owner.js';
      await seen(ANNOUNCEMENT);
      const tag = newTag();
      symlinkSync('/etc/passwd', process.env.TMPDIR + '/onnx-compress-' + tag);
      process.stdout.write('\\0onnx-compress: the model is in ' + tag + ' 9\\n');
      await sleep(2000);`,
  });
  expect(done.out).toBe('0 1\n');
  const why = 'too many symbolic links, or a cycle of them';
  expect(done.said).toContain(`<stdin>: the file that the previous command hands over cannot be opened: ${why}`);
});

linux('where others may rename files in the folder for temporary ones, bytes go through the pipe', () => {
  const write = { WRITE: `await sleep(300); ${WRITE}` };
  for (const mode of [0o777, 0o775]) {
    const done = run(`write | read; echo ${STATUS}`, write, mode);
    expect(done).toMatchObject({ out: `${told(BYTES)}0 0\n`, said: 'through the pipe\n', left: [] });
  }
  // Another program removes whatever appears there.
  const thief = '(while sleep 0.01; do mv "$TMPDIR"/onnx-compress-* "$TMPDIR/stolen"; done) 2> /dev/null & thief=$!';
  const robbed = run(`${thief}; write | read; echo ${STATUS}; kill $thief`, write, 0o777);
  expect(robbed).toMatchObject({ out: `${told(BYTES)}0 0\n`, said: 'through the pipe\n' });
  const sticky = run(`late | read; echo ${STATUS}`, {}, 0o1777);
  expect(sticky).toMatchObject({ out: `${told(BYTES)}0 0\n`, said: 'as a file\n', left: [] });
});

linux('what looks like a message and is none is refused, an announcement of another version not believed', () => {
  const done = run(`printf '\\0onnx-compress: the model is in a way of tomorrow\\n' | read; echo ${STATUS}`);
  expect(done).toMatchObject({ out: '0 1\n', left: [] });
  expect(done.said).toContain('the process that hands over a model does not write to this pipe');
  const old = run(`old | other > /dev/null; echo ${STATUS}`, {
    OTHER: `
      import { readlinkSync, writeFileSync } from 'node:fs';
      import { newTag } from '${ROOT}/dist/node/files/owner.js';
      const pipe = /\\d+/.exec(readlinkSync('/proc/self/fd/0'))[0];
      writeFileSync(process.env.TMPDIR + '/onnx-compress-' + newTag() + '-pipe-' + pipe, '');
      for await (const _ of process.stdin);`,
    OLD: `await seen(/-pipe-\\d+$/);${WRITE}`,
  });
  expect(old).toMatchObject({ out: '0 0\n', said: 'through the pipe\n' });
});

linux('something that comes first: the writer does not wait for a reader that has begun', () => {
  const done = run(`{ slow & first; wait $!; echo $? >&2; } | read`, {
    SLOW: `
      await seen(ANNOUNCEMENT);
      const sink = await stdoutSink(process.stdout);
      await sink.write(bytes.subarray(0, 2_000_000));
      const { position } = await sink.reserve(0);
      console.error(position === undefined ? 'through the pipe' : 'as a file');
      console.error(await seen(MODEL).then(() => 'begun'));
      import { writeFileSync } from 'node:fs';
      writeFileSync(process.env.TMPDIR + '/begun', '');
      while (readdirSync(process.env.TMPDIR).some((one) => ANNOUNCEMENT.test(one))) await sleep(5);
      await sink.finish().catch(async (cause) => {
        await sink.abort();
        console.error(cause.message);
        process.exitCode = 1;
      });`,
    FIRST: `await seen(/^begun$/); process.stdout.write('x');`,
  });
  expect(done).toMatchObject({
    out: told(Buffer.from('x')),
    said: 'as a file\nbegun\n<stdout>: the command that reads the output has stopped\n1\n',
    left: ['begun'],
  });
});

linux('an announcement is believed of a process that has the pipe, not because of its name', () => {
  const done = run('{ announced | cat > /dev/null; } ; echo', {
    ANNOUNCED: `
      import { readlinkSync, writeFileSync } from 'node:fs';
      import { newTag } from '${ROOT}/dist/node/files/owner.js';
      const pipe = /\\d+/.exec(readlinkSync('/proc/self/fd/1'))[0];
      // Our own live process, with another standard input.
      writeFileSync(process.env.TMPDIR + '/onnx-compress-' + newTag() + '-pipe2-' + pipe, '');
      ${WRITE}`,
  });
  expect(done).toMatchObject({ code: 0, said: 'through the pipe\n' });
  expect(existsSync(join(done.temporary, done.left[0] ?? ''))).toBe(true);
});

linux(
  'prune | quantize of a model of a hundred megabytes makes the same file',
  () => {
    const cwd = folder();
    writeFileSync(
      join(cwd, 'run.sh'),
      `set -e -o pipefail
    "${process.execPath}" "${ROOT}/benchmarks/models.js" matmuls 128 m.onnx
    onnx-compress() { "${process.execPath}" "${ROOT}/bin/compress.js" "$@"; }
    onnx-compress prune --l1 0.4 m.onnx -o p.onnx 2> named.txt
    onnx-compress quantize p.onnx -o q.onnx -q
    onnx-compress prune --l1 0.4 m.onnx 2> first.txt | onnx-compress quantize -q > piped.onnx
    cmp piped.onnx q.onnx
    # The estimate for gzip is that of the file.
    gzip() { grep -o 'about [0-9.]* MB with gzip' "$1"; }
    diff <(gzip named.txt) <(gzip first.txt)
    # What to do next is not said to who does it.
    diff <(tail -n +2 named.txt | sed '/^next:/,$d') <(tail -n +2 first.txt)
    # Weights that nobody touched lie in the first file too, three commands on, and in a data file.
    onnx-compress prune --l1 0.4 m.onnx -q --include w0 -o p0.onnx
    onnx-compress prune --l1 0.5 p0.onnx -q --include w1 -o p1.onnx
    onnx-compress prune --l1 0.4 m.onnx -q --include w0 | onnx-compress prune --l1 0.5 -q --include w1 | onnx-compress copy -q -o piped1.onnx
    cmp piped1.onnx p1.onnx
    onnx-compress copy m.onnx -q --external-data -o e.onnx
    onnx-compress prune --l1 0.4 e.onnx -q --embed | onnx-compress quantize -q > fromdata.onnx
    cmp fromdata.onnx q.onnx`,
    );
    const temporary = folder();
    const done = spawnSync('bash', ['run.sh'], { cwd, env: { ...environment(), TMPDIR: temporary }, encoding: 'utf8' });
    expect([done.status, done.stderr]).toEqual([0, '']);
    expect(readFileSync(join(cwd, 'first.txt'), 'utf8')).toContain('with gzip');
    expect(readdirSync(temporary)).toEqual([]);
  },
  60_000,
);
