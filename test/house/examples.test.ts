/** Examples in the docstrings of the public functions compile against the package's own types. */
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import ts from 'typescript';
import { ROOT } from '../support/cli.ts';

const INDEX = join(ROOT, 'src/index.node.ts');
/** A file that exists in memory only. */
const EXAMPLES = join(ROOT, 'test/examples-of-docstrings.ts');

const { options } = ts.parseJsonConfigFileContent(
  ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile).config,
  ts.sys,
  ROOT,
);

/** Cache of parsed files: most of them are the same in each program. */
const read = new Map<string, ts.SourceFile | undefined>();

/** A program with the entry `path`, whose content is `text` if given. */
function programOf(path: string, text?: string): ts.Program {
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (one) => one === EXAMPLES || fileExists(one);
  host.getSourceFile = (one, language, ...rest) => {
    if (one === path && text !== undefined) return ts.createSourceFile(one, text, language);
    if (!read.has(one)) read.set(one, getSourceFile(one, language, ...rest));
    return read.get(one);
  };
  return ts.createProgram([path], { ...options, noEmit: true, noUnusedLocals: false, noUnusedParameters: false }, host);
}

interface PublicFunction {
  readonly name: string;
  readonly returns: string;
  readonly examples: readonly string[];
}

function publicFunctions(): PublicFunction[] {
  const program = programOf(INDEX);
  const checker = program.getTypeChecker();
  const index = program.getSourceFile(INDEX);
  const module = index && checker.getSymbolAtLocation(index);
  if (module === undefined) throw new Error(`${INDEX} is not a module`);
  return checker.getExportsOfModule(module).flatMap((exported) => {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    const declaration = symbol.valueDeclaration;
    if (declaration === undefined || !ts.isFunctionDeclaration(declaration)) return [];
    const signature = checker.getSignatureFromDeclaration(declaration);
    const tags = symbol.getJsDocTags().filter((tag) => tag.name === 'example');
    return [
      {
        name: exported.name,
        returns: signature === undefined ? '' : checker.typeToString(signature.getReturnType()),
        examples: tags.map((tag) => ts.displayPartsToString(tag.text)),
      },
    ];
  });
}

/** The compile errors of the examples, each as the body of a function that has an open model. */
function errorsOf(functions: readonly PublicFunction[]): string[] {
  const bodies = functions.flatMap(({ name, examples }) =>
    examples.map((text, index) => {
      const given = text.includes('using model') || !/\bmodel\b/.test(text) ? '' : 'model: Model';
      return `export async function ${name}Example${index}(${given}) {\n${text}\n}`;
    }),
  );
  const names = functions.map((one) => one.name).filter((name) => new RegExp(`\\b${name}\\(`).test(bodies.join('\n')));
  const text = [
    "import { readFile } from 'node:fs/promises';",
    `import { type Model, ${names.join(', ')} } from '../src/index.node.ts';`,
    ...bodies,
  ].join('\n');
  const program = programOf(EXAMPLES, text);
  const file = program.getSourceFile(EXAMPLES);
  return program.getSemanticDiagnostics(file).map(({ messageText, start = 0 }) => {
    const before = text.slice(0, start).match(/function (\w+)Example/g) ?? [];
    return `${before.at(-1)}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}

let functions: PublicFunction[];
beforeAll(() => {
  functions = publicFunctions();
});

test('every example compiles', () => {
  expect(functions.flatMap((one) => one.examples).length).toBeGreaterThan(20);
  expect(errorsOf(functions)).toEqual([]);
});

test('an example that calls a function with a wrong option does not compile', () => {
  const wrong = {
    name: 'quantize',
    returns: 'Pass',
    examples: ["await transform(model, quantize({ dtype: 'int5' }));"],
  };
  const transform = { name: 'transform', returns: '', examples: [] };
  expect(errorsOf([wrong, transform])).toEqual([expect.stringMatching(/^function quantizeExample: .*int5/)]);
});

test('every function that makes a pass has an example', () => {
  const passes = functions.filter((one) => /^(Channel)?Pass$/.test(one.returns));
  expect(passes.length).toBeGreaterThan(12);
  expect(passes.filter((one) => one.examples.length === 0).map((one) => one.name)).toEqual([]);
});
