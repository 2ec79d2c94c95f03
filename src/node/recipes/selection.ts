import type { SelectionValues } from '../../options/common.ts';

/** The selection in the form of the passes; options that were not given are absent. */
export function readSelection(values: SelectionValues): {
  opTypes?: readonly string[];
  include: RegExp[];
  exclude: RegExp[];
} {
  const { opTypes, include = [], exclude = [] } = values;
  const patterns = {
    include: include.map((text) => new RegExp(text, 'u')),
    exclude: exclude.map((text) => new RegExp(text, 'u')),
  };
  return opTypes === undefined ? patterns : { ...patterns, opTypes };
}
