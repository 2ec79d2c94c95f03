import { Chalk } from 'chalk';
import type { Argv, CommandModule } from 'yargs';
import { CompressError } from '../../errors.ts';
import { BENCH_DEFAULTS, type BenchReport, bench, checkRatio, type Spread } from '../../node/runtime/bench.ts';
import { peakMemory } from '../../node/runtime/peak.ts';
import { refuseStdin } from '../arguments.ts';
import { parseList, parseNumber, parsePositive, parseWhole } from '../parse.ts';
import type { Streams } from '../pipe.ts';
import { progress } from '../progress.ts';
import type { RenderOptions } from '../render.ts';
import { formatBytes, formatPercent } from '../size.ts';
import { table } from '../table.ts';
import { printable, widthsOf, wrapHead } from '../text.ts';
import { examples, SUMMARIES } from '../usage.ts';
import type { DataSources } from './verify.ts';

interface BenchArguments {
  models: string[];
  data: string | undefined;
  seed: string | undefined;
  batch: string | undefined;
  threads: string | undefined;
  runs: string;
  warmup: string;
  seconds: string;
  maxRatio: string | undefined;
  json: boolean | undefined;
  quiet: boolean | undefined;
  verbose: boolean | undefined;
}

/**
 * `compress bench`: how fast models are beside each other.
 * @param color - whether standard output may have colours
 */
export function benchCommand(
  streams: Pick<Streams, 'stdout'>,
  color: boolean,
  sources: DataSources,
): CommandModule<object, BenchArguments> {
  return {
    command: SUMMARIES.bench[0],
    describe: SUMMARIES.bench[1],
    builder: (yargs) => options(yargs) as never,
    handler: async (args) => {
      const paths = args.models.map(String);
      refuseStdin('bench', paths);
      const { data, seed, maxRatio } = args;
      const most = maxRatio === undefined ? undefined : parseNumber('max-ratio', maxRatio, 'a ratio');
      const random = { seed: seed === undefined ? 0 : parseWhole('seed', seed) };
      const settings = {
        ...(args.batch === undefined ? {} : { batches: parseBatches(args.batch) }),
        ...(args.threads === undefined ? {} : { threads: parsePositive('threads', args.threads) }),
        runs: parsePositive('runs', args.runs),
        warmup: parseWhole('warmup', args.warmup),
        seconds: parseNumber('seconds', args.seconds, 'a number of seconds'),
        peak: peakMemory,
        onProgress: progress('measuring', args.quiet === true),
      };
      const report = await bench(
        paths,
        (inputs, batch, trial) =>
          data === undefined
            ? sources.randomData(inputs, { ...random, batch, samples: batch * RANDOM_SAMPLES }, trial)
            : sources.openData(data, inputs, { batch }),
        settings,
      );
      if (args.json) streams.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
      else if (!args.quiet) {
        streams.stdout.write(render(report, { color, verbose: args.verbose === true, ...widthsOf(streams.stdout) }));
      }
      if (most !== undefined) checkRatio(report, most);
    },
  };
}

/** Random samples of which each is fed in turn. */
const RANDOM_SAMPLES = 4;

function options(yargs: Argv): Argv {
  const flag = { type: 'boolean' } as const;
  const text = { type: 'string', requiresArg: true } as const;
  return yargs
    .usage(
      '$0 bench a.onnx b.onnx … [options]\n\nRuns models in turn on the same inputs and compares their times with the first one. Needs onnxruntime-node.',
    )
    .positional('models', { type: 'string', array: true, describe: 'the models; ratios are to the first' })
    .option('data', { ...text, describe: 'inputs, as `verify` takes them; random ones without' })
    .option('seed', { ...text, describe: 'of the random inputs (0)' })
    .option('batch', { ...text, describe: 'rows that are fed at once, e.g. 1,32 (what the model fixes, or 1)' })
    .group(['data', 'seed', 'batch'], 'Inputs:')
    .option('threads', { ...text, describe: 'threads within an operator (as many as ONNX Runtime takes)' })
    .option('runs', { ...text, default: String(BENCH_DEFAULTS.runs), describe: 'runs of each model that are measured' })
    .option('warmup', { ...text, default: String(BENCH_DEFAULTS.warmup), describe: 'runs before them that are not' })
    .option('seconds', { ...text, default: String(BENCH_DEFAULTS.seconds), describe: 'fewer runs after this long' })
    .group(['threads', 'runs', 'warmup', 'seconds'], 'How to measure:')
    .option('max-ratio', { ...text, describe: 'fail where a model takes more than this times the first one' })
    .group(['max-ratio'], 'Gate, exit code 1:')
    .option('json', { ...flag, describe: 'report as JSON on standard output' })
    .option('quiet', { ...flag, alias: 'q', describe: 'no report for people' })
    .option('verbose', { ...flag, alias: 'v', describe: 'every row in the report; stack traces of errors' })
    .conflicts('data', 'seed')
    .group(['json', 'quiet', 'verbose', 'help', 'version'], 'Report:')
    .epilog(
      examples([
        ['is the small one faster?', 'compress bench model.onnx small.onnx'],
        ['one row and many, on one thread', 'compress bench model.onnx small.onnx --batch 1,32 --threads 1'],
        ['a gate for a build', 'compress bench model.onnx small.onnx --max-ratio 1.1'],
      ]),
    );
}

function parseBatches(text: string): number[] {
  const list = [...new Set(parseList([text]).map((one) => parsePositive('batch', one)))];
  if (list.length > 0) return list;
  throw new CompressError('options', '--batch', 'no batch size is given');
}

function render(report: BenchReport, options: RenderOptions): string {
  const chalk = new Chalk({ level: options.color ? 1 : 0 });
  const several = report.models.length > 1;
  const threads =
    report.threads === undefined ? '' : `, ${report.threads} ${report.threads === 1 ? 'thread' : 'threads'}`;
  const lines = wrapHead(`${chalk.bold(printable(report.data))}${threads}`, options);
  const right = { right: true } as const;
  for (const { batch, runs, models } of report.batches) {
    const title = batch === undefined ? 'runs' : `batch ${batch}`;
    lines.push(`${chalk.green(title)}: ${several ? `${runs} alternating runs` : `${runs} runs`}`);
    const heads = [
      { head: 'model' },
      { head: 'median', ...right },
      { head: 'p10–p90', ...right, optional: true },
      ...(several
        ? [
            { head: 'of the first', ...right },
            { head: 'p10–p90', ...right, optional: true },
          ]
        : []),
    ];
    const rows = models.map(({ model, ms, ratio }) => [
      model,
      `${figure(ms.median)} ms`,
      `${figure(ms.p10)}–${figure(ms.p90)}`,
      ...(several ? [`${ratio.median.toFixed(2)}×`, range(ratio)] : []),
    ]);
    lines.push(...table(heads, rows, options, chalk));
  }
  const [first] = report.models;
  const heads = [
    { head: 'model' },
    { head: 'size', ...right },
    ...(several ? [{ head: 'of the first', ...right }] : []),
  ];
  const rows = report.models.map(({ model, bytes, loadMs, peakBytes }) => [
    model,
    formatBytes(bytes),
    ...(several ? [formatPercent(bytes, first?.bytes ?? 0)] : []),
    `${figure(loadMs)} ms`,
    peakBytes === undefined ? '–' : formatBytes(peakBytes),
  ]);
  lines.push(chalk.green('loading'));
  lines.push(...table([...heads, { head: 'load', ...right }, { head: 'peak memory', ...right }], rows, options, chalk));
  return `${lines.join('\n')}\n`;
}

function range({ p10, p90 }: Spread): string {
  return `${p10.toFixed(2)}–${p90.toFixed(2)}`;
}

/** Three digits. */
function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
