import { nearest } from '../diagnostics/nearest.js';

/** What counts of the declaration of an input. */
interface Declared {
  readonly type: string;
  readonly enum?: readonly unknown[];
  readonly secret?: boolean;
}

/** The text that is probably meant by one that an input does not accept; undefined if there is no guess, and for secrets. */
export function textMeant(text: string, { type, enum: allowed, secret }: Declared): string | undefined {
  if (secret) return undefined;
  const wanted = text.trim().toLowerCase();
  const near = allowed === undefined ? undefined : nearest(text, allowed.map(String));
  if (near !== undefined) return near;
  switch (type) {
    case 'boolean':
      return ['yes', 'on', '1', 'y'].includes(wanted) ? 'true' : ['no', 'off', '0', 'n'].includes(wanted) ? 'false' : undefined;
    case 'integer':
      return /^([0-9]+) *(?:gi?b?)?$/.exec(wanted)?.[1];
    case 'list':
      return /^[^[\]{}"]+$/.test(text.replace(/^\[|\]$/g, '')) ? JSON.stringify(itemsOf(text)) : undefined;
    case 'map': {
      const pairs = itemsOf(text).map((item) => /^([^=:]+)[=:]\s*(.*)$/.exec(item));
      return pairs.every((pair) => pair !== null) ? JSON.stringify(Object.fromEntries(pairs.map(([, key, value]) => [key, value]))) : undefined;
    }
    default:
      return undefined;
  }
}

function itemsOf(text: string): string[] {
  return text
    .replace(/^[[{]|[\]}]$/g, '')
    .split(',')
    .map((item) => item.trim());
}

/** A text as one word of a shell. */
export function shellWord(text: string): string {
  return /^[\w=.,:/+@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
