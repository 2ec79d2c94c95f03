import type { Analysis } from './analysis.ts';
import type { Axis } from './space.ts';
import type { Weight } from './structure.ts';

/** The role of a weight's axis in the node that multiplies by it. */
export type Role = 'outputs' | 'inputs' | 'parameter';

/** One axis of one weight that a group runs over. */
export interface Occurrence {
  readonly weight: Weight;
  readonly axis: number;
  readonly role: Role;
  /** For each index of the axis, the channel of the group it belongs to; −1 for none. */
  readonly of: Int32Array;
}

/** Channels that are coupled in the same way: the outputs of a layer, and of all layers that must have as many. */
export interface Group {
  /** Representatives in the space, in the order of the first weight. */
  readonly channels: readonly number[];
  readonly occurrences: readonly Occurrence[];
  /** Features that one channel stands for in the narrowest weight, e.g. the size of an attention head. */
  readonly width: number;
}

/** The removable channels, grouped by the weights they run over. */
export function groupsOf(analysis: Analysis): Group[] {
  const { space } = analysis;
  const places: { weight: Weight; axis: number; channels: Axis }[] = [];
  const signatures = new Map<number, Map<number, number>>();
  for (const weight of analysis.weights.values()) {
    weight.value.axes.forEach((channels, axis) => {
      if (channels === undefined) return;
      const place = places.length;
      places.push({ weight, axis, channels });
      for (const channel of channels) {
        if (space.pinOf(channel) !== undefined) continue;
        const root = space.find(channel);
        const counts = signatures.get(root) ?? new Map<number, number>();
        counts.set(place, (counts.get(place) ?? 0) + 1);
        signatures.set(root, counts);
      }
    });
  }
  const groups = new Map<string, number[]>();
  for (const [root, counts] of signatures) {
    const key = [...counts].map(([place, count]) => `${place}*${count}`).join(' ');
    const list = groups.get(key);
    if (list === undefined) groups.set(key, [root]);
    else list.push(root);
  }
  const roles = rolesOf(analysis);
  return [...groups.values()]
    .map((roots) => {
      const channels = roots.sort((a, b) => a - b);
      const index = new Map(channels.map((root, at) => [root, at]));
      const counts = signatures.get(channels[0] as number) as Map<number, number>;
      const occurrences = [...counts.keys()].map((place): Occurrence => {
        const { weight, axis, channels: own } = places[place] as (typeof places)[number];
        const of = own.map((channel) => index.get(space.find(channel)) ?? -1);
        return { weight, axis, role: roles.get(own) ?? 'parameter', of };
      });
      return { channels, occurrences, width: Math.min(...counts.values()) };
    })
    .filter((group) => group.occurrences.some((one) => one.role !== 'parameter'));
}

function rolesOf({ products }: Analysis): Map<Axis, Role> {
  const roles = new Map<Axis, Role>();
  for (const { outputs, inputs } of products) {
    if (inputs !== undefined) roles.set(inputs, 'inputs');
    if (outputs !== undefined) roles.set(outputs, 'outputs');
  }
  return roles;
}

/** Names of the weights that have the group as output channels, then of those that read it. */
export function groupLayers(group: Group): { readonly outputs: string[]; readonly inputs: string[] } {
  const names = (role: Role): string[] => [
    ...new Set(group.occurrences.filter((one) => one.role === role).map((one) => one.weight.name)),
  ];
  return { outputs: names('outputs'), inputs: names('inputs') };
}
