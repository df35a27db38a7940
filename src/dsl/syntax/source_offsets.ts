import type { Scalar } from 'yaml';
import type { Source } from './source.js';

/** For each character of a scalar's value, the offset in the source it was read from. */
export function sourceOffsets(source: Source, node: Scalar<string>): number[] {
  const text = source.text;
  const start = node.range?.[0] ?? 0;
  const block = node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED';
  const quoted = node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE';
  let at = block ? text.indexOf('\n', start) + 1 : quoted ? start + 1 : start;
  const offsets: number[] = [];
  for (const char of node.value) {
    const space = char === ' ' || char === '\n';
    if (!space) while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r') at += 1;
    if (quoted && text[at] === '\\' && node.type === 'QUOTE_DOUBLE') {
      offsets.push(at);
      at += text[at + 1] === 'x' ? 4 : text[at + 1] === 'u' ? 6 : 2;
    } else if (node.type === 'QUOTE_SINGLE' && char === "'") {
      offsets.push(at);
      at += 2;
    } else {
      offsets.push(at);
      // A line that was folded into one space, or unfolded: the next visible character finds its place again.
      if (!space || text[at] === char) at += 1;
    }
    for (let i = 1; i < char.length; i += 1) offsets.push(at++);
  }
  return offsets;
}
