import { lookup } from '../../ir/lookup.ts';
import { attribute, findAttribute, stringAttribute } from '../../ir/node.ts';
import { nearestResize } from '../../targets/kernels.ts';
import { type Adapted, type Adapter, rewritten, type Scope, without } from './adapter.ts';

/** `Upsample <scales> (x)` becomes `Upsample (x, scales)`. */
export const upsampleTo9: Adapter = (node, scope) => {
  const scales = findAttribute(node, 'scales');
  const list = scales?.type === 'floats' ? scales.value : [];
  const name = scope.add('scales', 'float32', [list.length], Float32Array.from(list));
  return rewritten(node, { inputs: [node.inputs[0] ?? '', name], attributes: without(node, 'scales') });
};

/** Upsample is deprecated from opset 10 on; Resize there computes the same. */
export const upsampleTo10: Adapter = (node) => rewritten(node, { opType: 'Resize' });

/**
 * ```
 * before: Resize <mode> (x, scales)
 * after:  Resize <mode, coordinate_transformation_mode = "asymmetric", nearest_mode> (x, '', scales)
 * ```
 * Opset 10 does not say how "nearest" rounds; {@link nearestResize} does, one dim at a time. Opset 11 has one rounding
 * for all dims, so the scales have to be known.
 */
export const resizeTo11: Adapter = async (node, scope) => {
  const [x = '', scales = ''] = node.inputs;
  const added = [attribute.string('coordinate_transformation_mode', 'asymmetric')];
  if (stringAttribute(node, 'mode', 'nearest') === 'nearest') {
    const rounding = await roundingOf(scales, scope);
    if (typeof rounding !== 'string') return rounding;
    added.push(attribute.string('nearest_mode', rounding));
  }
  // Opset 11 requires a roi; an empty tensor stands for none.
  const roi = scope.add('roi', 'float32', [0], new Float32Array(0));
  return rewritten(node, { inputs: [x, roi, scales], attributes: [...node.attributes, ...added] });
};

async function roundingOf(scales: string, scope: Scope): Promise<'floor' | 'ceil' | Adapted> {
  // Upsample never shrinks, so its scales need not be known.
  if (scope.original.opType === 'Upsample') return nearestResize.value.enlarging;
  const held = scope.graph.constant(scales);
  if (held === undefined || held.graph.isOverridable(scales)) {
    return {
      refused: 'its scales input is computed, and opset 11 rounds "nearest" differently for enlarging and shrinking',
    };
  }
  const bytes = await held.tensor.load();
  const values = new Float32Array(Uint8Array.prototype.slice.call(bytes).buffer);
  if (values.every((scale) => scale >= 1)) return nearestResize.value.enlarging;
  if (values.every((scale) => scale <= 1)) return nearestResize.value.shrinking;
  return {
    refused: 'it enlarges one dim and shrinks another, which no single rounding of "nearest" in opset 11 can express',
  };
}

/** From opset 13 on, one of scales and sizes must be absent rather than empty, and one coordinate mode is gone. */
export const resizeTo13: Adapter = (node) => {
  if (stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel') === 'tf_half_pixel_for_nn') {
    return { refused: 'its coordinate_transformation_mode tf_half_pixel_for_nn was removed in opset 13' };
  }
  const [x = '', roi = '', scales = '', sizes = ''] = node.inputs;
  if (sizes === '' || scales === '') return { nodes: [node] };
  return rewritten(node, { inputs: [x, roi, '', sizes] });
};

/**
 * Before opset 16, RoiAlign does not shift coordinates by half a pixel; later that is an attribute with another
 * default.
 */
export const roiAlignTo16: Adapter = (node) => {
  if (findAttribute(node, 'coordinate_transformation_mode') !== undefined) return { nodes: [node] };
  const mode = attribute.string('coordinate_transformation_mode', 'output_half_pixel');
  return rewritten(node, { attributes: [...node.attributes, mode] });
};

const GRID_MODES: Readonly<Record<string, string>> = { bilinear: 'linear', bicubic: 'cubic' };

/** Opset 20 calls bilinear linear and bicubic cubic. */
export const gridSampleTo20: Adapter = (node) => {
  const renamed = lookup(GRID_MODES, stringAttribute(node, 'mode', ''));
  if (renamed === undefined) return { nodes: [node] };
  const attributes = node.attributes.map((one) => (one.name === 'mode' ? attribute.string('mode', renamed) : one));
  return rewritten(node, { attributes });
};
