import { CompressError } from '../errors.ts';
import { type AnyTable, kebab, type Option } from '../options/option.ts';
import { TABLES } from '../options/tables.ts';
import { choiceFact } from '../options/values.ts';
import { isVerb, SUMMARIES, VERBS } from '../options/verbs.ts';
import { OWN_OPTIONS } from './help.ts';

/** Printed instead of words if the shell should offer file names. */
const FILES = ':files';

/**
 * The argument with which completion scripts call the program, followed by the number of words before the cursor, and
 * the words.
 */
export const COMPLETE = '--get-completions';

/**
 * Each script completes both names of the program and calls the documented one: another program may be called compress.
 */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# bash completion of onnx-compress: source <(onnx-compress completion bash)
_onnx_compress() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    # Without words the shell offers files (-o default).
    [ "$line" = '${FILES}' ] || COMPREPLY+=("\${line%%$'\\t'*}")
  done < <(onnx-compress ${COMPLETE} "$((COMP_CWORD - 1))" "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o bashdefault -o default -F _onnx_compress onnx-compress compress
`,
  zsh: `#compdef onnx-compress compress
# zsh completion of onnx-compress: source <(onnx-compress completion zsh), or a file _onnx-compress in a folder of fpath
_onnx_compress() {
  local line files=0
  local -a found
  while IFS= read -r line; do
    if [[ $line == '${FILES}' ]]; then files=1
    elif [[ $line != *$'\\t'* ]]; then found+=("\${line//:/\\\\:}")
    else found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
    fi
  done < <(onnx-compress ${COMPLETE} $((CURRENT - 2)) "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( $#found )) && _describe onnx-compress found
  (( files )) && _files
}
if [[ \${funcstack[1]} == _onnx-compress ]]; then _onnx_compress "$@"
else compdef _onnx_compress onnx-compress compress
fi
`,
  fish: `# fish completion of onnx-compress: onnx-compress completion fish | source
function __onnx_compress
  set -l before (commandline -opc)
  set -l current (commandline -ct)
  for line in (onnx-compress ${COMPLETE} (math (count $before) - 1) $before[2..-1] $current 2>/dev/null)
    if test "$line" = '${FILES}'
      __fish_complete_path $current
    else
      echo $line
    end
  end
end
complete -c onnx-compress -f -a '(__onnx_compress)'
complete -c compress -f -a '(__onnx_compress)'
`,
  powershell: `# PowerShell completion of onnx-compress:
# onnx-compress completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName onnx-compress, compress -ScriptBlock {
  param($word, $ast, $position)
  $words = @($ast.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" })
  $before = if ($word -eq '') { $words.Count } else { $words.Count - 1 }
  onnx-compress ${COMPLETE} $before @words 2>$null | ForEach-Object {
    if ($_ -eq '${FILES}') {
      Get-ChildItem -Path "$word*" | ForEach-Object {
        $path = Resolve-Path -Relative -LiteralPath $_.FullName
        if ($path -match "[^\\w./\\\\:-]") { $path = "'" + $path.Replace("'", "''") + "'" }
        [System.Management.Automation.CompletionResult]::new($path, $_.Name, 'ProviderItem', $path)
      }
    } else {
      $name, $text = $_ -split "\`t", 2
      if ($name -like "$word*") {
        $tip = if ($text) { $text } else { $name }
        [System.Management.Automation.CompletionResult]::new($name, $name, 'ParameterValue', $tip)
      }
    }
  }
}
`,
};

const SHELLS = Object.keys(SCRIPTS);

/**
 * The completion script of a shell; by default the shell that $SHELL names.
 * @throws CompressError `options` for another shell
 */
export function completionScript(given: string | undefined, shell: string | undefined): string {
  const own = /[^\\/]*$/.exec(shell ?? '')?.[0] ?? '';
  const name = given ?? (SHELLS.includes(own) ? own : 'bash');
  const script = SCRIPTS[name];
  if (script === undefined) throw new CompressError('options', 'completion', choiceFact(`'${name}'`, SHELLS));
  return script;
}

/** Completions for the word at the cursor, one line each: `word<Tab>description`. */
export function completionsOf(before: readonly string[], current: string): string[] {
  // bash splits `--form=x` into three words.
  const [verb, ...words] = before.filter((one) => one !== '=');
  const offered = offers(verb, words.at(-1), current === '=' ? '' : current);
  const begun = current === '=' ? '' : current;
  return offered.filter((one) => one === FILES || one.startsWith(begun));
}

function offers(verb: string | undefined, last: string | undefined, current: string): string[] {
  if (verb === undefined || verb === 'help') {
    const verbs = VERBS.map((one) => `${one}\t${SUMMARIES[one].describe}`);
    return current.startsWith('-')
      ? own()
      : verb === 'help'
        ? verbs
        : [...verbs, 'completion\ta script for a shell', 'help\thelp on a verb'];
  }
  if (verb === 'completion') return SHELLS;
  if (!isVerb(verb)) return [FILES];
  const { rows }: AnyTable = TABLES[verb];
  const [flag = '', given] = current.split('=', 2);
  const joined = given === undefined ? undefined : rowOf(rows, flag);
  if (joined !== undefined) return valuesOf(joined).map((one) => (one === FILES ? one : `${flag}=${one}`));
  const row = last === undefined ? undefined : rowOf(rows, last);
  if (row !== undefined && row.kind !== 'flag') return valuesOf(row);
  if (!current.startsWith('-')) return [FILES];
  return [...Object.entries(rows).map(([key, one]) => `--${kebab(key)}\t${shortened(one.help)}`), ...own()];
}

function own(): string[] {
  return Object.entries(OWN_OPTIONS).map(([name, text]) => `--${name}\t${text}`);
}

/** The option that a word names. */
function rowOf(rows: AnyTable['rows'], word: string): Option | undefined {
  return Object.entries(rows).find(([key, { alias }]) => word === `--${kebab(key)}` || word === `-${alias}`)?.[1];
}

/** Possible values of an option; none if it takes any number or text. */
function valuesOf(row: Option): string[] {
  if (row.kind === 'choice') return [...row.choices];
  if (row.kind === 'size') return row.sizes.map(String);
  if (row.kind === 'target') return [FILES];
  return row.kind === 'file' ? [...(row.word === undefined ? [] : [row.word]), FILES] : [];
}

/** The part of a help text that fits next to an option. */
function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
