import { Chalk } from 'chalk';
import { type BenchReport, bench, checkRatio, type Spread } from '../../node/runtime/bench.ts';
import { peakMemory } from '../../node/runtime/peak.ts';
import { BENCH, type BenchValues } from '../../options/measure.ts';
import { defined } from '../../options/values.ts';
import { formatBytes, formatPercent } from '../../passes/size.ts';
import { refuseStdin } from '../arguments.ts';
import type { Command } from '../command.ts';
import { reportJson } from '../json/write.ts';
import type { Streams } from '../pipe.ts';
import { progress } from '../progress.ts';
import type { RenderOptions } from '../table.ts';
import { table } from '../table.ts';
import { printable, widthsOf, wrapHead } from '../text.ts';
import { examples } from '../usage.ts';
import type { DataSources } from './verify.ts';

/**
 * `onnx-compress bench`: times models side by side.
 * @param color - whether standard output may have colours
 */
export function benchCommand(
  streams: Pick<Streams, 'stdout'>,
  color: boolean,
  sources: DataSources,
): Command<BenchValues> {
  return {
    verb: 'bench',
    table: BENCH,
    usage: [
      'onnx-compress bench A.onnx B.onnx … [options]',
      '',
      'Runs models in turn on the same inputs and compares their times with the first. Needs onnxruntime-node.',
    ],
    epilog: [
      examples([
        ['is the small model faster?', 'onnx-compress bench model.onnx small.onnx'],
        ['batches of 1 and 32, on one thread', 'onnx-compress bench model.onnx small.onnx --batch 1,32 --threads 1'],
        ['a gate in CI', 'onnx-compress bench model.onnx small.onnx --max-ratio 1.1'],
      ]),
    ],
    run: async (args) => {
      const paths = args.models.map(String);
      refuseStdin('bench', paths);
      const { data, seed = 0, maxRatio, batch: batches, threads, runs, warmup, seconds } = args;
      const settings = {
        ...defined({ batches, threads, runs, warmup, seconds }),
        peak: peakMemory,
        onProgress: progress('measuring', args.quiet === true),
      };
      const report = await bench(
        paths,
        (inputs, batch, trial) =>
          data === undefined
            ? sources.randomData(inputs, { seed, batch, samples: batch * RANDOM_SAMPLES }, trial)
            : sources.openData(data, inputs, { batch }),
        settings,
      );
      if (args.json) reportJson(streams.stdout, report);
      else if (!args.quiet) {
        streams.stdout.write(render(report, { color, verbose: args.verbose === true, ...widthsOf(streams.stdout) }));
      }
      if (maxRatio !== undefined) checkRatio(report, maxRatio);
    },
  };
}

/** Number of random samples, which are fed in turn. */
const RANDOM_SAMPLES = 4;

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

/** A number with three significant digits. */
function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
