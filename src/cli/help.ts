import { Chalk } from 'chalk';
import { type AnyTable, kebab, type Option, valueName } from '../options/option.ts';
import { PROGRAM, SUMMARIES, VERBS } from '../options/verbs.ts';
import { type Command, takesMany } from './command.ts';
import { exitsLine } from './exits.ts';
import { asCalled } from './program.ts';
import { wrap } from './text.ts';
import { examples } from './usage.ts';

/** Maximum width of help: longer lines are hard to read. */
export const HELP_COLUMNS = 80;
/** Longer terms have their description on the next line. */
const LONGEST_TERM = 24;

/** A line of help: a term, and its description. */
type Entry = readonly [term: string, text: string];

interface Part {
  readonly head: string;
  readonly entries: readonly Entry[];
}

/** How to print help. */
interface Look {
  readonly columns: number;
  readonly color: boolean;
}

/** Options that every verb has without a row in its table, with their help texts. */
export const OWN_OPTIONS = {
  help: 'show this help',
  version: 'show the versions',
  color: 'print colours even in a pipe',
  'no-color': 'print no colours, like NO_COLOR=1',
} as const;

const HELP: Entry = ['-h, --help', OWN_OPTIONS.help];
const VERSION: Entry = ['    --version', OWN_OPTIONS.version];

/** The help of the program: its verbs. */
export function programHelp(look: Look): string {
  const verbs = VERBS.map((verb): Entry => [verb, SUMMARIES[verb].describe]);
  const completion: Entry = ['completion', 'print a completion script for bash, zsh, fish or powershell'];
  const colors: Entry = ['    --no-color', `${OWN_OPTIONS['no-color']}; --color: ${OWN_OPTIONS.color}`];
  return helpOf(
    [
      `${PROGRAM} <verb> [model.onnx|-] [-o out.onnx|-] [options]`,
      '',
      'Makes ONNX models small and fast, without Python.',
    ],
    [
      { head: 'Verbs', entries: [...verbs, completion] },
      { head: 'Options', entries: [HELP, VERSION, colors] },
    ],
    [
      examples([
        ['a quarter of the size', 'onnx-compress quantize --int8 model.onnx -o small.onnx'],
        ['commands can be piped', 'onnx-compress prune --l1 0.4 model.onnx | onnx-compress quantize > small.onnx'],
        ['all options of a command', 'onnx-compress quantize --help'],
      ]),
      exitsLine(),
    ],
    look,
  );
}

/** The help on completion scripts: how each shell reads its own. */
export function completionHelp(look: Look): string {
  return helpOf(
    [
      `${PROGRAM} completion [bash|zsh|fish|powershell]`,
      '',
      'Prints a script with which a shell completes verbs, options, their values and file names. Without a name, it is',
      'that of $SHELL.',
    ],
    [{ head: 'Options', entries: [HELP] }],
    [
      examples([
        ['bash: in ~/.bashrc', 'source <(onnx-compress completion bash)'],
        ['zsh: in ~/.zshrc, after compinit', 'source <(onnx-compress completion zsh)'],
        ['fish', 'onnx-compress completion fish > ~/.config/fish/completions/onnx-compress.fish'],
        ['PowerShell: in $PROFILE', 'onnx-compress completion powershell | Out-String | Invoke-Expression'],
      ]),
    ],
    look,
  );
}

/** The help of a verb: its arguments, and its options under headings. */
export function verbHelp(
  { verb, usage, table, epilog }: Pick<Command<object>, 'verb' | 'usage' | 'table' | 'epilog'>,
  look: Look,
): string {
  const output = 'output' in table.rows ? ' -o DIR/' : '';
  const many = takesMany(table) ? [`onnx-compress ${verb} A.onnx B.onnx …|"*.onnx"|DIR${output} [options]`] : [];
  const empty = usage.indexOf('');
  const forms = [...usage.slice(0, empty), ...many, ...usage.slice(empty)];
  return helpOf(forms, partsOf(table), epilog, look);
}

function partsOf({ positionals, rows, groups = [] }: AnyTable): Part[] {
  const parts = new Map<string, Entry[]>(groups.map((group) => [group, []]));
  for (const [key, row] of Object.entries(rows)) {
    const entries = parts.get(row.group) ?? [];
    parts.set(row.group, [...entries, [termOf(key, row), row.help]]);
  }
  // Listed under the last heading, which is for reports.
  const last = [...parts.keys()].at(-1) ?? 'Options';
  parts.set(last, [...(parts.get(last) ?? []), HELP, VERSION]);
  const input = Object.entries(positionals).map(([name, { help }]): Entry => [name, help]);
  return [{ head: 'Input', entries: input }, ...[...parts].map(([head, entries]) => ({ head, entries }))];
}

/** `-o, --output FILE`. */
function termOf(key: string, row: Option): string {
  const alias = row.alias === undefined ? '    ' : `-${row.alias}, `;
  return `${alias}--${kebab(key)} ${valueName(row)}`.trimEnd();
}

function helpOf(usage: readonly string[], parts: readonly Part[], epilog: readonly string[], look: Look): string {
  const chalk = new Chalk({ level: look.color ? 1 : 0 });
  // All descriptions start in the same column.
  const terms = parts.flatMap(({ entries }) => entries.map(([term]) => term.length));
  const column = 4 + Math.max(...terms.filter((length) => length <= LONGEST_TERM));
  const entry = ([term, text]: Entry): string[] => {
    const [first = '', ...rest] = wrap(text, look.columns - column).map((line) => line.trimStart());
    const lead = `  ${chalk.cyan(term)}`;
    const below = [...(term.length + 4 > column ? [first] : []), ...rest].map((line) => ' '.repeat(column) + line);
    return term.length + 4 > column
      ? [lead, ...below]
      : [lead + ' '.repeat(column - 2 - term.length) + first, ...below];
  };
  const [forms, about] = [usage.slice(0, usage.indexOf('')), usage.slice(usage.indexOf('') + 1)];
  const blocks = [
    forms.flatMap((line) => wrap(asCalled(line), look.columns)),
    paragraph(asCalled(about.join(' ')), look.columns),
    ...parts.map(({ head, entries }) => [chalk.bold(`${head}:`), ...entries.flatMap(entry)]),
    ...epilog.map((text) => epilogLines(asCalled(text.trim()), look.columns, entry)),
  ];
  return `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function paragraph(text: string, columns: number): string[] {
  return wrap(text, columns).map((line) => line.trimStart());
}

/**
 * Examples are not wrapped, so that they can be copied; lines with a term and a description are laid out like options.
 */
function epilogLines(text: string, columns: number, entry: (one: Entry) => string[]): string[] {
  const lines = text.split('\n');
  if (lines[0] === 'Examples:') return lines;
  return lines.flatMap((line) => {
    const [, term, rest] = /^ {2}(\S+) {2,}(.*)$/.exec(line) ?? [];
    return term === undefined || rest === undefined ? paragraph(line, columns) : entry([`    ${term}`, rest]);
  });
}
