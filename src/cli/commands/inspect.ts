import type { Argv, CommandModule } from 'yargs';
import { print } from '../../ir/print.ts';
import { inspect } from '../../passes/inspect/index.ts';
import { type Input, inputOf } from '../inspect/input.ts';
import { graphsJson, headerJson, inspectionJson } from '../inspect/json.ts';
import { renderInspection } from '../inspect/render.ts';
import type { Streams } from '../pipe.ts';
import { printable, type Widths, widthsOf } from '../text.ts';
import { examples, SUMMARIES } from '../usage.ts';

interface InspectArguments {
  model: string | undefined;
  weights: boolean | undefined;
  graph: boolean | undefined;
  json: boolean | undefined;
  verbose: boolean | undefined;
}

/**
 * `compress inspect`: what a model is made of, and what could be made of it.
 * @param color - whether standard output may have colours
 */
export function inspectCommand(
  streams: Pick<Streams, 'stdin' | 'stdout'>,
  color: boolean,
): CommandModule<object, InspectArguments> {
  return {
    command: SUMMARIES.inspect[0],
    describe: SUMMARIES.inspect[1],
    builder: (yargs) => options(yargs) as never,
    handler: async (args) => {
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

async function report(input: Input, args: InspectArguments, color: boolean, widths: Widths): Promise<string> {
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

function options(yargs: Argv): Argv {
  const flag = { type: 'boolean' } as const;
  return yargs
    .usage(
      '$0 inspect [model.onnx|-] [options]\n\nTells what a model is made of, what quantize and prune would do with it, and how large the results would be.',
    )
    .positional('model', { type: 'string', describe: 'ONNX file to read; - or nothing reads standard input' })
    .option('weights', { ...flag, alias: 'w', describe: 'read the weights too: zeros, ranges, channels, outliers' })
    .option('graph', { ...flag, alias: 'g', describe: 'print the graph instead, a line a node' })
    .conflicts('weights', 'graph')
    .group(['weights', 'graph'], 'What to look at:')
    .option('json', { ...flag, describe: 'report as JSON' })
    .option('verbose', { ...flag, alias: 'v', describe: 'every row in the report; stack traces of errors' })
    .group(['json', 'verbose', 'help', 'version'], 'Report:')
    .epilog(
      examples([
        ['what is in there?', 'compress inspect model.onnx'],
        ['which weights are hard to quantize?', 'compress inspect --weights model.onnx'],
        ['the convolutions', 'compress inspect --graph model.onnx | grep Conv'],
        ['did pruning reach 60 %?', 'compress prune --l1 0.6 model.onnx | compress inspect --weights'],
      ]),
    );
}
