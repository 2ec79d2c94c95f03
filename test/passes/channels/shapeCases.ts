/** Input axes of operators that join, split, reshape, resize or combine. */
import { ALL, type AxisCase, each, int32, ints, weight } from '../../support/axes.ts';
import { type AttributeSpec, f32, float, type GraphSpec, i64, type NodeSpec, value } from '../../support/build.ts';

const LARGEST = 2n ** 63n - 1n;
const SMALLEST = -(2n ** 63n);

const halves = { axis: 1 };

const joining: readonly AxisCase[] = [
  { op: 'Concat', more: { c: weight([3, 2, 4, 8]) }, attributes: halves, out: [3, 8, 4, 8], free: ALL },
  { op: 'Concat', inputs: ['v', 'v'], attributes: { axis: -1 }, out: [3, 6, 4, 16], free: ALL },
  { op: 'Split', more: { parts: ints(2, 4) }, attributes: halves, output: 1, out: [3, 4, 4, 8], free: ALL },
  { op: 'Split', opset: 11, attributes: { axis: 1, split: [2, 4] }, output: 1, out: [3, 4, 4, 8], free: ALL },
  { op: 'Split', opset: 11, attributes: halves, output: 1, out: [3, 3, 4, 8], free: ALL },
  {
    op: 'Split',
    opset: 18,
    attributes: { axis: 1, num_outputs: 4 },
    dims: [3, 7, 4, 8],
    output: 3,
    out: [3, 1, 4, 8],
    to: [0, -1, 2, 3],
    free: ALL,
  },
  { op: 'Pad', more: { pads: ints(0, 0, 1, 0, 0, 0, 1, 0) }, out: [3, 6, 6, 8], free: [0, 1, 3] },
  {
    op: 'Pad',
    opset: 10,
    attributes: { mode: 'reflect', pads: [0, 0, 1, 0, 0, 0, 1, 0] },
    out: [3, 6, 6, 8],
    free: [0, 1, 3],
  },
  { op: 'Pad', more: { pads: ints(0, 0, -1, 0, 0, 0, 0, 0) }, out: [3, 6, 3, 8], free: [0, 1, 3] },
  {
    ...{ op: 'Pad', opset: 18, inputs: ['v', 'pads', '', 'axes'], more: { pads: ints(1, 1), axes: ints(-2) } },
    ...{ out: [3, 6, 6, 8], free: [0, 1, 3] },
  },
  { op: 'Tile', more: { times: ints(1, 1, 2, 1) }, out: [3, 6, 8, 8], free: [0, 1, 3] },
];

const cut = (out: readonly number[], free: readonly number[], ...more: AxisCase['more'][]): AxisCase => ({
  ...{ op: 'Slice', more: Object.assign({}, ...more) as NonNullable<AxisCase['more']>, out, free },
});

const slicing: readonly AxisCase[] = [
  cut([3, 4, 4, 8], ALL, { starts: ints(1), ends: ints(5), axes: ints(1) }),
  cut([3, 5, 4, 8], ALL, { starts: ints(1), ends: ints(LARGEST), axes: ints(1) }),
  cut([3, 4, 4, 7], ALL, { starts: ints(0, 1), ends: ints(4, LARGEST), axes: ints(1, 3) }),
  cut([3, 4, 4, 7], ALL, { starts: ints(SMALLEST, -7), ends: ints(-2, LARGEST - 1n), axes: ints(1, -1) }),
  cut([3, 4, 4, 8], [0, 1, 2], {
    starts: ints(2, -1),
    ends: ints(LARGEST, SMALLEST),
    axes: ints(1, 3),
    steps: ints(1, -1),
  }),
  cut([3, 4, 4, 4], [0, 1, 2], {
    starts: ints(2, LARGEST),
    ends: ints(6, SMALLEST),
    axes: ints(1, 3),
    steps: ints(1, -2),
  }),
  cut([3, 4, 4, 7], ALL, { starts: int32(0, 1), ends: int32(4, 2 ** 31 - 1), axes: int32(1, 3), steps: int32(1, 1) }),
  cut([3, 4, 4, 2], [0, 1, 2], {
    starts: int32(1, 7),
    ends: int32(5, -(2 ** 31)),
    axes: int32(1, 3),
    steps: int32(1, -4),
  }),
  {
    ...{ op: 'Slice', opset: 9, attributes: { starts: [0, 1], ends: [4n, LARGEST], axes: [1, 3] } },
    ...{ out: [3, 4, 4, 7], free: ALL },
  },
  { op: 'Slice', opset: 8, attributes: { starts: [SMALLEST, 2], ends: [2, LARGEST] }, out: [2, 4, 4, 8], free: ALL },
];

const reshaping: readonly AxisCase[] = [
  { op: 'Transpose', attributes: { perm: [2, 0, 3, 1] }, out: [4, 3, 8, 6], to: [1, 3, 0, 2], free: ALL },
  { op: 'Flatten', attributes: { axis: 2 }, out: [18, 32], to: [0, 0, 1, 1], free: ALL },
  { op: 'Flatten', attributes: { axis: -4 }, out: [1, 576], to: [1, 1, 1, 1], free: ALL },
  { op: 'Reshape', more: { shape: ints(3, 6, 32) }, out: [3, 6, 32], to: [0, 1, 2, 2], free: ALL },
  { op: 'Reshape', more: { shape: ints(0, 2, -1, 32) }, out: [3, 2, 3, 32], to: [0, 1, 3, 3], free: ALL },
  { op: 'Squeeze', dims: [3, 1, 4, 8], more: { axes: ints(-3) }, out: [3, 4, 8], to: [0, -1, 1, 2], free: [0, 2, 3] },
  { op: 'Unsqueeze', more: { axes: ints(-1, 0) }, out: [1, 3, 6, 4, 8, 1], to: [1, 2, 3, 4], free: ALL },
];

const ZOOM = { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
const NEAREST: Readonly<Record<string, AttributeSpec>> = { mode: 'nearest' };

const resizing: readonly AxisCase[] = [
  {
    ...{ op: 'Resize', inputs: ['v', '', 'scales'], more: { scales: f32([4], [1, 1, 2, 2]) }, attributes: ZOOM },
    ...{ out: [3, 6, 8, 16], free: [0, 1] },
  },
  {
    ...{ op: 'Resize', inputs: ['v', '', '', 'sizes'], more: { sizes: ints(3, 6, 4, 16) }, attributes: ZOOM },
    ...{ out: [3, 6, 4, 16], free: [0, 1, 2] },
  },
  {
    op: 'Resize',
    inputs: ['v', 'roi', 'scales'],
    more: { roi: f32([8], [0, 0.2, 0, 0, 1, 0.8, 1, 1]), scales: f32([4], [1, 1, 1, 1]) },
    attributes: { mode: 'linear', coordinate_transformation_mode: 'tf_crop_and_resize' },
    free: [],
  },
  {
    op: 'Resize',
    opset: 10,
    more: { scales: f32([4], [1, 1, 2, 1]) },
    attributes: NEAREST,
    out: [3, 6, 8, 8],
    free: [0, 1, 3],
  },
  {
    op: 'Upsample',
    opset: 9,
    more: { scales: f32([4], [1, 1, 2, 2]) },
    attributes: NEAREST,
    out: [3, 6, 8, 16],
    free: [0, 1],
  },
  {
    ...{ op: 'Upsample', opset: 7, attributes: { ...NEAREST, scales: float([1, 1, 2, 2]) } },
    ...{ out: [3, 6, 8, 16], free: [0, 1] },
  },
  { op: 'Expand', more: { shape: ints(2, 1, 6, 1, 8) }, out: [2, 3, 6, 4, 8], to: [1, 2, 3, 4], free: ALL },
  { op: 'Expand', dims: [3, 6, 1, 8], more: { shape: ints(5, 1) }, out: [3, 6, 5, 8], free: [0, 1, 3] },
];

const elementwise: readonly AxisCase[] = [
  ...each('Relu Erf Identity Sigmoid Softplus', { free: ALL }),
  { op: 'Clip', more: { low: f32([], [-0.5]), high: f32([], [0.5]) }, free: ALL },
  { op: 'Dropout', free: ALL },
  ...each('Add Sub Mul Max Mean Min Sum', { more: { c: weight([6, 1, 1], 3, 1, 2) }, free: ALL }),
  { op: 'Add', inputs: ['c', 'v'], more: { c: weight([3, 6, 4, 8], 3) }, free: ALL },
  { op: 'PRelu', more: { slope: weight([6, 1, 1], 3) }, free: ALL },
  {
    op: 'Where',
    inputs: ['is', 'v', 'c'],
    before: [{ op: 'Less', in: ['v', 'c'], out: ['is'] }],
    more: { c: weight([4, 1]) },
    free: ALL,
  },
  {
    op: 'DequantizeLinear',
    before: [{ op: 'QuantizeLinear', in: ['v', 's'], out: ['q'] }],
    inputs: ['q', 's'],
    more: { s: f32([], [0.01]) },
    free: [],
  },
];

const branch = (op: string) => ({ outputs: { o: f32() }, nodes: [{ op, in: ['v'], out: ['o'] }] });
const yes = { dtype: 'bool', dims: [], data: Uint8Array.of(1) } as const;
/** Sums `v`, captured from the outer graph. */
const LOOP: GraphSpec = {
  inputs: { i: i64([]), go: value('bool', []), sum: f32() },
  outputs: { goes: value('bool', []), added: f32() },
  nodes: [
    { op: 'Identity', in: ['go'], out: ['goes'] },
    { op: 'Add', in: ['sum', 'v'], out: ['added'] },
  ],
};
const SCAN: GraphSpec = {
  inputs: { row: f32([6, 4, 8]) },
  outputs: { turned: f32([6, 4, 8]) },
  nodes: [{ op: 'Neg', in: ['row'], out: ['turned'] }],
};
const TOP: readonly NodeSpec[] = [{ op: 'TopK', in: ['v', 'k'], out: ['values', 'places'] }];

const others: readonly AxisCase[] = [
  { op: 'Identity', before: TOP, inputs: ['values'], more: { k: ints(2) }, out: [3, 6, 4, 2], free: [] },
  {
    op: 'DepthToSpace',
    dims: [3, 8, 4, 6],
    attributes: { blocksize: 2 },
    out: [3, 2, 8, 12],
    to: [0, 1, 2, 3],
    free: [],
  },
  { op: 'SpaceToDepth', attributes: { blocksize: 2 }, out: [3, 24, 2, 4], free: [] },
  { op: 'Einsum', attributes: { equation: 'nchw->nhwc' }, out: [3, 4, 8, 6], to: [0, 3, 1, 2], free: [] },
  {
    op: 'GatherElements',
    more: { at: i64([1, 2, 1, 1], [0, 5]) },
    attributes: { axis: 1 },
    out: [1, 2, 1, 1],
    to: [-1, -1, -1, -1],
    free: [],
  },
  { op: 'GatherND', more: { at: i64([1, 2], [0, 5]) }, out: [1, 4, 8], to: [-1, -1, 1, 2], free: [] },
  { op: 'ScatterND', more: { at: i64([1, 2], [0, 5]), w: weight([1, 4, 8]) }, free: [] },
  {
    ...{
      op: 'ScatterElements',
      more: { at: i64([1, 2, 1, 1], [0, 5]), w: weight([1, 2, 1, 1]) },
      attributes: { axis: 1 },
    },
    free: [],
  },
  {
    op: 'Compress',
    more: { is: { dtype: 'bool', dims: [6], data: Uint8Array.of(1, 0, 1, 0, 1, 1) } },
    attributes: { axis: 1 },
    out: [3, 4, 4, 8],
    free: [],
  },
  {
    op: 'ReverseSequence',
    more: { lengths: ints(2, 3, 3, 1, 2, 3) },
    attributes: { batch_axis: 1, time_axis: 0 },
    free: [],
  },
  {
    op: 'If',
    inputs: ['c'],
    more: { c: yes },
    attributes: { then_branch: branch('Relu'), else_branch: branch('Neg') },
    free: [],
  },
  {
    op: 'Loop',
    inputs: ['times', 'yes', 'v'],
    more: { times: i64([], [2]), yes },
    attributes: { body: LOOP },
    free: [],
  },
  { op: 'Scan', attributes: { num_scan_inputs: 1, body: SCAN }, free: [] },
  {
    ...{ op: 'GridSample', more: { grid: weight([3, 2, 2, 2]) }, out: [3, 6, 2, 2], to: [0, 1, -1, -1] },
    free: [],
  },
  { op: 'BiasGelu', domain: 'com.microsoft', more: { c: weight([8]) }, free: [] },
  {
    op: 'FusedMatMul',
    domain: 'com.microsoft',
    more: { w: weight([8, 5]) },
    out: [3, 6, 4, 5],
    to: [0, 1, 2, -1],
    free: [],
  },
  {
    ...{ op: 'RotaryEmbedding', opset: 23, dims: [2, 3, 4, 8], free: [] },
    more: { cos: weight([2, 4, 4]), sin: weight([2, 4, 4], 2) },
  },
  { op: 'Attention', opset: 23, dims: [2, 3, 4, 8], inputs: ['v', 'v', 'v'], free: [] },
];

export const SHAPE_CASES: readonly AxisCase[] = [
  ...[...joining, ...slicing, ...reshaping],
  ...[...resizing, ...elementwise, ...others],
];
