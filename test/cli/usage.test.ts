import { readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { completionScript, completionsOf } from '../../src/cli/completion.ts';
import { VERBS } from '../../src/options/verbs.ts';
import { compressEach, fixture, folder, oneLine, ROOT, shell } from '../support/cli.ts';

const M = fixture('mymodel.onnx');
const runtime = JSON.parse(readFileSync(join(ROOT, 'node_modules/onnxruntime-node/package.json'), 'utf8'));

describe('a wrong command line exits 2 and says what to do', () => {
  // Arguments, and what the message must say.
  const CASES: readonly (readonly [string[], RegExp])[] = [
    [
      ['prune', '--l1', '1.4', M],
      /--l1: 1\.4 is neither a fraction below 1 nor a whole number\n {2}Give a percentage \(--l1 40%\)/,
    ],
    [['prune', '--l1', '-1', M], /--l1: -1 would prune nothing\n {2}Give a percentage/],
    [['prune', '--l1', 'abc', M], /--l1: 'abc' is not a number\n {2}Give/],
    [['prune', '--l1', '0', M], /--l1: 0 would prune nothing\n {2}Give/],
    [['prune', '--l1', '1.0', M], /--l1: 1\.0 is neither/],
    [['q', M], /'q' is not a verb\. Did you mean quantize\?\n {2}The verbs are/],
    [['zz', M], /'zz' is not a verb\n {2}The verbs are/],
    [['some.onnx', '-o', 'x'], /no verb is given before 'some\.onnx'\n {2}For example: onnx-compress quantize/],
    [['-v', '--quiet'], /name a verb: [^\n]*\n {2}See onnx-compress --help\.\n$/],
    [['prune', '--l1', '100%', M], /--l1: '100%' would leave nothing\n {2}Give a percentage/],
    [['prune', '--l1', '0%', M], /--l1: 0% would prune nothing\n {2}Give a percentage/],
    [['prune', '--l1', '140%', M], /--l1: '140%' is not a percentage up to 100\n {2}Give a percentage/],
    [['prune', '--channels', '100%', M], /--channels: '100%' is not a fraction between 0 and 1/],
    [['prune', '--l1', '0.4', '--op-types', 'Conv', '--op-types', 'Foo', M], /'Foo' is not an operator/],
    [['verify', '--output', 'z', '--output', 'output', M, M], /--output: the model has no output 'z'/],
    [['prune', M, '--l1'], /--l1: a value must follow\n {2}See onnx-compress prune --help/],
    [['prune', '--l1', '0.4', '--l1', '0.5', M], /--l1: it is given twice/],
    [['prune', '--l1', '0.4', '--l2', '0.4', M], /--l1 and --l2 cannot be used together\n {2}Choose one/],
    [['prune', M], /a method is required\n {2}Choose one: --l1 0\.4/],
    [['prune', '--l1', '0.4', '--op-types', 'Foo', M], /'Foo' is not an operator.*\n {2}Choose from Gemm, MatMul/],
    [['prune', '--l1', '0.4', '--op-types', ',', M], /--op-types: an operator is required/],
    [['quantize', '--calibrate', '-', M], /--calibrate: '-' is not accepted: only models come from standard input\n/],
    [['prune', '--l1', '-', M], /--l1: '-' is not a number/],
    [['prune', '--l1', '0.4', '--include', '[', M], /--include: '\[' is not a regular expression/],
    [['prune', '--random', '0.4', '--seed', 'x', M], /--seed: 'x' is not a whole number/],
    [['prune', '--l1', '0.4', '--scope', 'x', M], /--scope: 'x' is not one of "tensor", "global"/],
    [['prune', '--l1', '0.4', '--bogus', M], /--bogus: there is no such option\n {2}See onnx-compress prune --help/],
    [
      ['prune', '--l3', '0.4', M],
      /--l3: there is no such option\. Did you mean --l1\?\n {2}See onnx-compress prune --help/,
    ],
    [['quantize', '--wieghts-only', M], /--wieghts-only: there is no such option\. Did you mean --weights-only\?/],
    [['quantize', '--fp16', M], /--fp16: there is no such option\. Did you mean --float16\?/],
    [['verify', M, M, '--min-top1', '199%'], /--min-top1: '199%' is not a fraction from 0 to 1 or a percentage\n/],
    [['quantize', '--ext=1', M], /--ext: there is no such option\. Did you mean --external-data\?/],
    [['inspect', '--l1', '0.4', M], /--l1: there is no such option\n/],
    [['diff', '--exitcode', M, M], /--exitcode: there is no such option\. Did you mean --exit-code\?/],
    [['diff', M], /diff: needs 2 models; 1 is given\n {2}See onnx-compress diff --help/],
    [['prune', '--l1', '0.4', '-z', M], /-z: there is no such option/],
    [['prune', '--l1', '0.4', M, 'two.onnx'], /2 models go to a folder, and none is named\n {2}For example/],
    [['tune', M, 'two.onnx'], /'two\.onnx' is one argument too many\n {2}One model at a time/],
    [
      ['prune', '--l1', '0.4', '--json', M],
      /--json: standard output carries the model\n {2}Write the model with -o FILE/,
    ],
    [['prune', '--l1', '0.4', M, '-o', ''], /--output: the file name is empty/],
    [['prune', '--l1', '0.4', M, '-o', 'a', '-o', 'b'], /-o: it is given twice/],
    [['quantize', '--min-elements', '-3', M], /--min-elements: '-3' is not a whole number/],
    [['quantize', '--int8', '--uint8', M], /--int8 and --uint8 cannot be used together/],
    [
      ['quantize', '--weights-only', '--format', 'qoperator', M],
      /--format: qoperator needs integer .*\n {2}Leave out one/,
    ],
    [['copy', '--embed', '--external-data', M], /--(embed|external-data) and --(embed|external-data) cannot be used/],
    [
      ['copy', '--external-data', M],
      /--external-data: standard output cannot carry.*\n {2}Write the model with -o FILE/,
    ],
    [['copy', ''], /model: the file name is empty/],
    [['copy', '-', M, '-n'], /standard input cannot be combined with files/],
    [['quantise', M], /'quantise' is not a verb\. Did you mean quantize\?/],
    [
      ['frobnicate', M],
      /'frobnicate' is not a verb\n {2}The verbs are prune, quantize, dequantize, pack, fold, convert, copy, run, tune, variants, inspect, diff, verify/,
    ],
    [
      [],
      /name a verb: prune, quantize, dequantize, pack, fold, convert, copy, run, tune, variants, inspect, diff, verify or bench\n {2}See onnx-compress --help/,
    ],
  ];
  const cwd = folder();
  const results = compressEach(
    CASES.map(([argv]) => argv),
    { cwd },
  );

  test.each(results.map((one, index) => ({ ...one, says: CASES[index]?.[1] ?? /never/ })))('compress $line', (one) => {
    expect(one.stderr).toMatch(one.says);
    expect(one.stderr).toMatch(/^error: .*\n {2}.*\n$/);
    // A program that asks for JSON gets the error as JSON too.
    const [, message = '', hint] = /^error: (.*)\n {2}(.*)\n$/.exec(one.stderr) ?? [];
    const error = { code: 'options', where: message.split(': ')[0], message, hint };
    const json = one.line.includes('--json');
    expect(json ? JSON.parse(one.stdout.toString()) : one.stdout.toString()).toEqual(json ? { version: 1, error } : '');
    expect(one.code).toBe(2);
  });

  test('nothing is written', () => expect(readdirSync(cwd)).toEqual([]));
});

describe('help', () => {
  const [all, prune, quantize, copy, fold, quietAll, quietPrune, quietQuantize, version] = compressEach([
    ...[['--help'], ['prune', '-h'], ['quantize', '--help'], ['copy', '--help'], ['fold', '--help']],
    ...[['-qh'], ['prune', '-fqh'], ['quantize', '-hv']],
    ['--version'],
  ]);

  test('fits 80 columns except for commands to copy, goes to standard output and shows examples', () => {
    for (const one of [all, prune, quantize, copy, fold]) {
      const text = one?.stdout.toString() ?? '';
      expect(one).toMatchObject({ code: 0, stderr: '' });
      expect(text).toContain('Examples:\n  # ');
      const long = text.split('\n').filter((line) => line.length > 80 && !/^(?: {2})?onnx-compress /.test(line));
      expect(long).toEqual([]);
    }
  });

  test('is shown when -h is grouped with other flags of one letter', () => {
    for (const [one, other] of [
      [quietAll, all],
      [quietPrune, prune],
      [quietQuantize, quantize],
    ]) {
      expect(one).toMatchObject({ code: 0, stderr: '' });
      expect(one?.stdout.toString()).toBe(other?.stdout.toString());
    }
  });

  test('shows the usage of a verb first, then its options', () => {
    expect(prune?.stdout.toString()).toMatch(/^onnx-compress prune --l1\|--l2\|--random AMOUNT \[model\.onnx\|-\]/);
    expect(quantize?.stdout.toString()).toMatch(/How to quantize:[\s\S]*Which weights:[\s\S]*Files:[\s\S]*Report:/);
    expect(copy?.stdout.toString()).not.toContain('--op-types');
    expect(oneLine(all?.stdout ?? '')).toContain(
      'Exit codes: 0 done, 1 invalid model or file, 2 invalid command line, 3 a gate failed.',
    );
  });

  test('every value has a name, all descriptions start in one column, and every verb has one line', () => {
    const text = quantize?.stdout.toString() ?? '';
    expect(text).toMatch(/\n {6}--calibrate DATA {6}\S/);
    expect(text).toMatch(/\n {6}--exclude REGEX {7}\S/);
    expect(text).toMatch(/\n {2}-o, --output FILE {9}\S/);
    expect(text).toMatch(/\n {6}--prefer speed\|size {3}\S/);
    expect(text).toMatch(/\n {6}--activations uint8\|int8\n {28}\S/);
    const columns = [...text.matchAll(/^(?: {2}-\w, | {6})--[\w-]+(?: \S+)? {2,}(?=\S)/gm)].map(
      ([lead]) => lead.length,
    );
    expect([columns.length > 30, new Set(columns)]).toEqual([true, new Set([28])]);
    const [, verbs = ''] = /\nVerbs:\n([\s\S]*?)\n\n/.exec(all?.stdout.toString() ?? '') ?? [];
    expect(verbs.split('\n').map((line) => line.trim().split(' ')[0])).toEqual([...VERBS, 'completion']);
  });

  test('--version prints our version alone on the first line, then the versions it runs on', () => {
    const [own, rest] = (version?.stdout.toString() ?? '').split('\n');
    expect(own).toMatch(/^\d+\.\d+\.\d+$/);
    expect(rest).toBe(
      `onnxruntime-node ${runtime.version}, Node.js ${process.versions.node}, ${process.platform} ${process.arch}`,
    );
  });
});

test('help and version work under every common name', () => {
  const asked = [
    ['help', 'prune'],
    ['prune', '--help'],
    ['help'],
    ['--help'],
    ['-V'],
    ['version'],
    ['-v'],
    ['--version'],
  ];
  const [help, same, all, alike, ...versions] = compressEach(asked);
  expect(help?.stdout.toString()).toMatch(/^onnx-compress prune/);
  expect([help?.code, same?.stdout.toString()]).toEqual([0, help?.stdout.toString()]);
  expect(alike?.stdout.toString()).toBe(all?.stdout.toString());
  expect(new Set(versions.map((one) => one.stdout.toString())).size).toBe(1);
  expect(versions[0]?.stdout.toString()).toMatch(/^\d+\.\d+\.\d+\n/);
});

test('help on completion says how each shell reads its script', () => {
  const [help, alike] = compressEach([
    ['completion', '--help'],
    ['help', 'completion'],
  ]);
  for (const name of ['bash', 'zsh', 'fish', 'powershell'])
    expect(help?.stdout.toString()).toContain(`completion ${name}`);
  expect(alike?.stdout.toString()).toBe(help?.stdout.toString());
});

test('a file that a pattern of the shell turned into an option is named with its folder', () => {
  const cwd = folder();
  symlinkSync(M, join(cwd, '-m.onnx'));
  const [one] = compressEach([['inspect', '-m.onnx']], { cwd });
  expect(one?.stderr).toBe('error: -m: there is no such option\n  The file of this name is ./-m.onnx.\n');
});

test('prints the options that a preset stands for before the report', () => {
  const [told, quiet, flags] = compressEach([
    ['quantize', '--preset', 'exact', '-n', '--json', M],
    ['quantize', '--preset', 'exact', '-n', '--json', '-q', M],
    ['quantize', '--float16', '-n', '--json', '-q', M],
  ]);
  expect(told?.stderr).toMatch(/^preset exact: --float16\n.*mymodel\.onnx/);
  expect(quiet?.stderr).toBe('');
  expect(told?.stdout.toString()).toBe(flags?.stdout.toString());
});

test('options turn colours on and off', () => {
  const [off, on] = compressEach(
    ['--no-color', '--color'].map((one) => ['inspect', M, '--bogus', one]),
    { env: { FORCE_COLOR: '1' } },
  );
  expect([off?.stderr.includes('\u001b['), on?.stderr.includes('\u001b[')]).toEqual([false, true]);
  expect(on?.stderr).toContain('--bogus: there is no such option');
});

test('shell completion completes verbs, options, choices and files in bash, for both names', () => {
  const ask = (...words: string[]) =>
    `COMP_WORDS=(${words.join(' ')}); COMP_CWORD=${words.length - 1}; _onnx_compress; echo "\${COMPREPLY[@]}"`;
  const line = [ask('compress', 'qu'), ask('onnx-compress', 'quantize', '--red'), ask('compress', 'pack', "''")].join(
    ';',
  );
  const done = shell(`source <(onnx-compress completion); ${line}; complete -p compress onnx-compress`, {
    env: { SHELL: '/bin/bash' },
  });
  expect(done).toMatchObject({ code: 0, stderr: '' });
  const [verb, option, files, ...both] = done.stdout.toString().trimEnd().split('\n');
  expect([verb, option, files]).toEqual(['quantize', '--reduce-range', '']);
  for (const one of both) expect(one).toMatch(/-o default -F _onnx_compress (onnx-)?compress$/);
  const offered = (...words: string[]) => completionsOf(words.slice(0, -1), words.at(-1) ?? '').join(' ');
  expect(offered('pack', '--')).toMatch(/--store\tbitmask .*--output\tfile/);
  expect(offered('quantize', '--format', 'q')).toBe('qdq qoperator');
  expect(offered('quantize', '--format', '=', '')).toBe('qdq qoperator');
  expect(offered('quantize', '--format=qd')).toBe('--format=qdq');
  expect(offered('quantize', '--calibrate', '')).toBe('random :files');
  expect(offered('quantize', '-o', '')).toBe(':files');
  expect(offered('quantize', '--samples', '')).toBe('');
  expect(offered('help', 'deq')).toMatch(/^dequantize\t/);
  expect(offered('completion', '')).toBe('bash zsh fish powershell');
  // Shells show the text beside each word.
  expect(offered('quantize', '--no-col')).toMatch(/^--no-color\t\S/);
  for (const one of completionsOf([], '')) expect(one).toMatch(/^\w+\t\S|^:files$/);
});

test('completion is for the named shell, or the one in $SHELL', () => {
  const names = ['bash', 'zsh', 'fish', 'powershell'];
  for (const name of names) {
    const script = completionScript(name, undefined);
    expect(script).toMatch(/onnx-compress --get-completions/);
    expect(script.match(/\bcompress\b/g)?.length).toBeGreaterThan(script.match(/onnx-compress/g)?.length ?? 0);
  }
  // PowerShell takes paths with spaces for one word only in quotes.
  expect(completionScript('powershell', undefined)).toContain('[^\\w./\\\\:-]');
  expect(completionScript(undefined, '/usr/bin/fish')).toBe(completionScript('fish', '/bin/zsh'));
  expect(completionScript(undefined, undefined)).toBe(completionScript('bash', undefined));
  expect(() => completionScript('tcsh', undefined)).toThrow(`'tcsh' is not one of "bash", "zsh", "fish", "powershell"`);
});

test('help, hints and errors use the name that the program was called by', () => {
  const cwd = folder();
  for (const name of ['compress', 'onnx-compress']) symlinkSync(join(ROOT, 'bin/compress.js'), join(cwd, name));
  const node = `'${process.execPath}'`;
  for (const name of ['compress', 'onnx-compress']) {
    const help = shell(`${node} ./${name} prune --help`, { cwd }).stdout.toString();
    expect(help.startsWith(`${name} prune --l1`)).toBe(true);
    expect(help).toContain(`\n  ${name} prune --l1 0.4 model.onnx | ${name} quantize --int8 > small.onnx`);
    const done = shell(`${node} ./${name} quantize --bogus; ${node} ./${name} m.onnx`, { cwd });
    expect(done.stderr).toContain(`  See ${name} quantize --help.\n`);
    expect(done.stderr).toContain(`  For example: ${name} quantize model.onnx -o small.onnx\n`);
  }
});
