import { print } from '../../ir/print.ts';
import { INSPECT, type InspectValues } from '../../options/look.ts';
import { inspect } from '../../passes/inspect/index.ts';
import type { Command } from '../command.ts';
import { type Input, inputOf } from '../inspect/input.ts';
import { graphsJson, headerJson, inspectionJson } from '../inspect/json.ts';
import { renderInspection } from '../inspect/render.ts';
import type { Streams } from '../pipe.ts';
import { printable, type Widths, widthsOf } from '../text.ts';
import { examples } from '../usage.ts';

/**
 * `onnx-compress inspect`: what a model is made of, and what could be made of it.
 * @param color - whether standard output may have colours
 */
export function inspectCommand(streams: Pick<Streams, 'stdin' | 'stdout'>, color: boolean): Command<InspectValues> {
  return {
    verb: 'inspect',
    table: INSPECT,
    usage: [
      'onnx-compress inspect [model.onnx|-] [options]',
      '',
      'Tells what a model is made of, what quantize and prune would do with it, and how large the results would be.',
    ],
    epilog: [
      examples([
        ['what is in there?', 'onnx-compress inspect model.onnx'],
        ['which weights are hard to quantize?', 'onnx-compress inspect --weights model.onnx'],
        ['the convolutions', 'onnx-compress inspect --graph model.onnx | grep Conv'],
        ['did pruning reach 60 %?', 'onnx-compress prune --l1 0.6 model.onnx | onnx-compress inspect --weights'],
      ]),
    ],
    run: async (args) => {
      const input = await inputOf(args.model, streams);
      try {
        const text = await report(input, args, color, widthsOf(streams.stdout));
        await input.unchanged();
        streams.stdout.write(text);
      } finally {
        await input.close();
      }
    },
  };
}

async function report(input: Input, args: InspectValues, color: boolean, widths: Widths): Promise<string> {
  const model = await input.open();
  try {
    // A line a node, and nothing else: for grep and less.
    if (args.graph && !args.json) return `${print(model).trimEnd().split('\n').map(printable).join('\n')}\n`;
    const header = await model.header();
    const found = await inspect(model, { weights: args.weights === true, planner: input });
    if (args.json) {
      return inspectionJson(input.label, await headerJson(header), found, args.graph ? graphsJson(model) : undefined);
    }
    const ascii = process.env['TERM'] === 'dumb';
    return renderInspection(input.label, header, found, { color, ascii, verbose: args.verbose === true, ...widths });
  } finally {
    await model.close();
  }
}
