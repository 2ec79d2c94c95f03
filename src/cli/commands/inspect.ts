import { print } from '../../ir/print.ts';
import { INSPECT, INSPECT_DEFAULT, type InspectValues } from '../../options/look.ts';
import { inspect } from '../../passes/inspect/index.ts';
import { formatBytes } from '../../passes/size.ts';
import type { Command } from '../command.ts';
import { inspectionCsv } from '../inspect/csv.ts';
import { type Input, inputOf } from '../inspect/input.ts';
import { type InspectJson, inspectionJson } from '../inspect/json.ts';
import { renderInspection, renderMarkdown } from '../inspect/render.ts';
import { reportJson } from '../json/write.ts';
import type { Streams } from '../pipe.ts';
import { printable, type Widths, widthsOf } from '../text.ts';
import { examples } from '../usage.ts';

/**
 * `onnx-compress inspect`: what a model contains, and how small it could become.
 * @param color - whether standard output may have colours
 */
export function inspectCommand(streams: Pick<Streams, 'stdin' | 'stdout'>, color: boolean): Command<InspectValues> {
  return {
    verb: 'inspect',
    table: INSPECT,
    usage: [
      'onnx-compress inspect [model.onnx|-] [options]',
      '',
      'Shows what a model contains, what quantize and prune would change, and how large the results would be.',
    ],
    epilog: [
      examples([
        ['what does the model contain?', 'onnx-compress inspect model.onnx'],
        ['which weights are hard to quantize?', 'onnx-compress inspect --weights model.onnx'],
        ['a table for a spreadsheet', 'onnx-compress inspect --weights --format csv model.onnx > weights.csv'],
        ['the convolutions', 'onnx-compress inspect --graph model.onnx | grep Conv'],
        ['did pruning reach 60 %?', 'onnx-compress prune --l1 0.6 model.onnx | onnx-compress inspect --weights'],
      ]),
    ],
    row: {
      heads: [
        { head: 'model' },
        ...['size', 'parameters', 'nodes', 'opset'].map((head) => ({ head, right: true })),
        { head: 'type', optional: true },
      ],
      cells: (report) => rowOf(report as InspectJson),
    },
    run: async (args) => {
      const input = await inputOf(args.model, streams);
      try {
        const found = await report(input, args, color, widthsOf(streams.stdout));
        await input.unchanged();
        if (typeof found === 'string') streams.stdout.write(found);
        else reportJson(streams.stdout, found);
      } finally {
        await input.close();
      }
    },
  };
}

/** The report: a text, or an object for JSON. */
async function report(
  input: Input,
  args: InspectValues,
  color: boolean,
  widths: Widths,
): Promise<string | InspectJson> {
  const format = args.json ? 'json' : (args.format ?? INSPECT_DEFAULT.format);
  const model = await input.open();
  try {
    // One line per node and nothing else: for grep and less.
    if (args.graph && format === 'text') return `${print(model).trimEnd().split('\n').map(printable).join('\n')}\n`;
    const header = await model.header();
    const planner = format === 'csv' ? {} : { planner: input };
    const found = await inspect(model, { weights: args.weights === true, ...planner });
    if (format === 'csv') return inspectionCsv(input.label, found);
    if (format === 'md') return renderMarkdown(input.label, header, found);
    if (format === 'json') return inspectionJson(input.label, header, found, args.graph ? model : undefined);
    const ascii = process.env['TERM'] === 'dumb';
    return renderInspection(input.label, header, found, { color, ascii, verbose: args.verbose === true, ...widths });
  } finally {
    await model.close();
  }
}

/** A model as one row of a table. */
function rowOf({ input, header, parameters, nodes, opsets, dtypes }: InspectJson): string[] {
  const bytes = header.dataFiles.reduce((sum, one) => sum + one.byteLength, header.byteLength);
  const opset = opsets.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version ?? '';
  const [most] = dtypes.toSorted((a, b) => b.byteLength - a.byteLength);
  return [input, formatBytes(bytes), String(parameters), String(nodes), String(opset), most?.dtype ?? ''];
}
