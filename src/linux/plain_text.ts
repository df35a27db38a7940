/**
 * Removes everything that a terminal would interpret: whole escape sequences (colors, titles, the clipboard, clearing
 * the screen), and all other control characters except tab and newline.
 */
export function plainText(text: string): string {
  return controls.test(text) ? text.replace(sequences, '') : text;
}

/** JSON in which all control characters are escaped. JSON itself only requires that for those below U+0020. */
export function plainJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(highControls, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
}

// biome-ignore-start lint/suspicious/noControlCharactersInRegex: this module removes them
const controls = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/;
const highControls = /[\x7f-\x9f]/g;
/**
 * Control sequences, control strings with their end, other escape sequences, single control characters. No string
 * continues past the end of a line: an unterminated one would hide what follows. Source: ECMA-48, sections 5.3 to 5.6.
 */
const sequences =
  /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[PX\]^_]|[\x90\x98\x9d-\x9f])[^\x00-\x1f\x7f-\x9f]*(?:\x07|\x1b\\|\x9c)|\x1b[ -/]*[0-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
// biome-ignore-end lint/suspicious/noControlCharactersInRegex: see above
