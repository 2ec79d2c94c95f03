import { Chalk } from 'chalk';
import type { ValueInfo } from '../../ir/graph.ts';
import type { DataFor, TrialRun } from '../../node/data/fitting.ts';
import type { ModelInput } from '../../node/data/inputs.ts';
import type { DataSet } from '../../node/data/types.ts';
import { checkFamilyGates } from '../../node/recipes/generation/gates.ts';
import type { OutputFigures, Share } from '../../node/runtime/compare.ts';
import { checkGates, formatDb, type Gates, type VerifyReport, verify } from '../../node/runtime/verify.ts';
import { VERIFY, type VerifyValues } from '../../options/measure.ts';
import { defined } from '../../options/values.ts';
import { formatPercent } from '../../passes/size.ts';
import { refuseStdin } from '../arguments.ts';
import type { Command } from '../command.ts';
import { reportJson } from '../json/write.ts';
import type { Streams } from '../pipe.ts';
import type { RenderOptions } from '../table.ts';
import { table } from '../table.ts';
import { count, printable, widthsOf, wrap, wrapHead } from '../text.ts';
import { examples } from '../usage.ts';
import { familyOf, renderFamily, verifyFolders } from '../verify/family.ts';
import { randomLines } from '../verify/random.ts';

/** Where the inputs for the models come from. */
export interface DataSources {
  openData(
    path: string,
    inputs: readonly ValueInfo[],
    options: { readonly batch?: number; readonly samples?: number },
  ): Promise<DataSet>;
  randomData(
    inputs: readonly ModelInput[],
    options: { readonly seed: number; readonly batch?: number; readonly samples?: number },
    trial: TrialRun,
  ): DataSet | Promise<DataSet>;
}

/**
 * `onnx-compress verify`: how close a compressed model is to its original, and how ONNX Runtime optimizes it.
 * @param color - whether standard output may have colours
 */
export function verifyCommand(
  streams: Pick<Streams, 'stdout'>,
  color: boolean,
  sources: DataSources,
): Command<VerifyValues> {
  return {
    verb: 'verify',
    table: VERIFY,
    usage: [
      'onnx-compress verify float.onnx small.onnx [--data DATA] [options]',
      'onnx-compress verify FLOAT_DIR SMALL_DIR [--dtype q8] [--prompts FILE] [options]',
      '',
      'Runs two models on the same data and compares their outputs. Needs onnxruntime-node.',
    ],
    epilog: [
      examples([
        ['how much accuracy did quantization cost?', 'onnx-compress verify model.onnx small.onnx --data test.npz'],
        ['a gate in CI', 'onnx-compress verify model.onnx small.onnx --data test.npz --min-sqnr 20 --require-fused'],
        [
          'judge one output by its classes',
          'onnx-compress verify model.onnx small.onnx --data test.npz --output scores --metric top1 --min-top1 0.99',
        ],
        [
          'an encoder and a decoder, compared by their texts',
          'onnx-compress verify exported repository --dtype q8 --prompts prompts.txt',
        ],
      ]),
    ],
    row: {
      heads: [
        { head: 'model' },
        ...['SQNR', 'top-1', 'unfused'].map((head) => ({ head, right: true })),
        { head: 'data' },
      ],
      cells: (report) => lineOf(report as VerifyReport),
    },
    run: async (args) => {
      const gates = readGates(args);
      refuseStdin('verify', [args.reference, args.other]);
      const dataFor = dataOf(args, sources);
      const family = await familyOf(args);
      if (family !== undefined) {
        const random = args.data === undefined && args.prompts === undefined;
        const { report, tokenizer } = await verifyFolders(family, args, dataFor);
        const options = { color, verbose: args.verbose === true, ...widthsOf(streams.stdout) };
        if (args.json) reportJson(streams.stdout, report);
        else if (!args.quiet) streams.stdout.write(renderFamily(report, tokenizer, random, options));
        checkFamilyGates(report, gates);
        return;
      }
      const { output: outputs, metric } = args;
      const report = await verify(args.reference, args.other, dataFor, {
        ...(outputs === undefined ? {} : { outputs }),
        ...(metric === undefined ? {} : { metric }),
      });
      if (args.json) reportJson(streams.stdout, report);
      else if (!args.quiet) {
        const random = args.data === undefined;
        streams.stdout.write(
          render(report, random, { color, verbose: args.verbose === true, ...widthsOf(streams.stdout) }),
        );
      }
      checkGates(report, gates);
    },
  };
}

function dataOf({ data, samples, batch, seed = 0 }: VerifyValues, sources: DataSources): DataFor {
  const sizes = defined({ samples, batch });
  return async (inputs, trial) =>
    data === undefined ? sources.randomData(inputs, { ...sizes, seed }, trial) : sources.openData(data, inputs, sizes);
}

function readGates({ minSqnr, minTop1, requireFused }: VerifyValues): Gates {
  return defined({ minSqnr, minTop1, requireFused });
}

function render(report: VerifyReport, random: boolean, options: RenderOptions): string {
  const chalk = new Chalk({ level: options.color ? 1 : 0 });
  const { outputs, kernels, unfused, madeFloat } = report;
  const lines = wrapHead(
    `${chalk.bold(printable(report.other))} against ${printable(report.reference)}, ${printable(report.data)}`,
    options,
  );
  if (random) lines.push(...randomLines(options, chalk));
  const right = { right: true } as const;
  const columns = ['type', 'SQNR', 'cosine', 'max error', 'top-1', 'accuracy'].map((head) => ({ head, ...right }));
  const caches = options.verbose ? [] : outputs.filter((one) => one.cache === true);
  const shown = outputs.filter((one) => !caches.includes(one));
  const used = columns.map((_, index) => shown.some((one) => rowOf(one)[index + 1] !== ''));
  const kept = <T>(list: readonly T[]): T[] => list.filter((_, index) => used[index]);
  const rows = shown.map((one) => [one.name, ...kept(rowOf(one).slice(1))]);
  lines.push(...table([{ head: 'output' }, ...kept(columns)], rows, options, chalk));
  if (caches.length > 0) lines.push(...wrap(cacheLine(caches), options.columns));
  for (const { name, zero, elements } of shown) {
    if (zero !== true && elements > 0) continue;
    const what = zero === true ? 'zero everywhere in both models' : 'empty';
    lines.push(
      ...wrap(`  ${chalk.yellow(`${printable(name)}: ${what}, so its metrics mean nothing`)}`, options.columns),
    );
  }
  for (const { name, nonFinite } of shown) {
    if (nonFinite.reference + nonFinite.other === 0) continue;
    const counts = `${nonFinite.reference} and ${nonFinite.other} elements; ${nonFinite.differing} differ`;
    lines.push(...wrap(`  ${chalk.yellow(`${printable(name)}: NaN or infinite: ${counts}`)}`, options.columns));
  }
  lines.push(`${chalk.green('ONNX Runtime')} runs ${count(sum(kernels), 'node')}`);
  const counts = kernels.map(({ op, nodes }) => [op, String(nodes)]);
  lines.push(...table([{ head: 'kernel' }, { head: 'nodes', ...right }], counts, options, chalk));
  if (madeFloat.length > 0) {
    const [are, run] = madeFloat.length === 1 ? ['is', 'runs'] : ['are', 'run'];
    lines.push(
      ...wrap(
        `  ${count(madeFloat.length, 'integer weight')} ${are} converted to float when the model is loaded, ` +
          `and ${run} as before`,
        options.columns,
      ),
    );
  }
  if (unfused.length > 0) {
    const weights = count(new Set(unfused.map((one) => one.weight)).size, 'weight');
    lines.push(`${chalk.yellow(`${weights} dequantized at every run`)}: slow, because no integer kernel exists`);
    const heads = [{ head: 'weight' }, { head: 'operator' }, { head: 'node' }, { head: 'why' }];
    const left = unfused.map((one) => [one.weight, one.opType, one.node, one.why]);
    lines.push(...table(heads, left, options, chalk));
  }
  return `${lines.join('\n')}\n`;
}

/** One line for all states that are fed to the next step: there are two per layer. */
function cacheLine(caches: readonly OutputFigures[]): string {
  const [worst] = caches.toSorted((a, b) => a.sqnr - b.sqnr);
  if (worst === undefined) return '';
  const least = caches.length === 1 ? '' : 'at least ';
  const error = Math.max(...caches.map((one) => one.maxAbsError));
  const figures = `${least}${formatDb(worst.sqnr)} (${printable(worst.name)}), max error ${shortened(error)}`;
  return `  ${count(caches.length, 'cache')}: ${figures}`;
}

/** The comparison of two models as one row: their worst outputs. */
function lineOf({ other, outputs, unfused, data }: VerifyReport): string[] {
  const counted = outputs.filter((one) => one.cache !== true && one.elements > 0);
  // JSON has Infinity as text.
  const sqnr = Math.min(...counted.map((one) => Number(one.sqnr)));
  const [top1] = counted.flatMap((one) => one.top1 ?? []).toSorted((a, b) => a.count / a.of - b.count / b.of);
  return [other, counted.length === 0 ? '' : formatDb(sqnr), percent(top1), String(unfused.length), data];
}

function rowOf(one: OutputFigures): string[] {
  const { accuracy } = one;
  const figures = [formatDb(one.sqnr), one.cosine.toFixed(6), shortened(one.maxAbsError)];
  const right = accuracy === undefined ? '' : `${percent(accuracy.reference)} → ${percent(accuracy.other)}`;
  return [one.name, one.dtype, ...figures, percent(one.top1), right];
}

/** A number with three significant digits. */
function shortened(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function percent(share: Share | undefined): string {
  return share === undefined ? '' : formatPercent(share.count, share.of);
}

function sum(kernels: VerifyReport['kernels']): number {
  return kernels.reduce((total, one) => total + one.nodes, 0);
}
