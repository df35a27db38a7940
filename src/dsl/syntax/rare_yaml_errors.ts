/** What YAML's grammar forbids, by the message of its library, with this project's words and advice. */
const rare: readonly (readonly [is: RegExp, message: string, help: string])[] = [
  [/at node end$/, 'more text follows the end of the value', 'remove it, or quote the whole value'],
  [/^Missing , (or : )?between/, 'a comma is missing before this', 'write , between the entries'],
  [/^Missing space after :/, 'a space is missing after the colon', 'write ": "'],
  [/^Implicit map keys need/, 'this line is neither a key nor an item of a list', 'write KEY: VALUE, or indent it as a part of the text above'],
  [/^Implicit keys/, 'a key must be on one line', 'quote a text with ": " in it'],
  [/^All sequence items/, 'this line does not continue the list above', 'begin it with "- " in the column of the other items'],
  [/must start at the same column/, 'this line is indented differently from those it belongs to', 'indent it like them'],
  [
    /^(Alias|Anchor|An alias|A node can have|Tags and anchors|Anchors and tags)/,
    'the text begins with a sign of YAML',
    'quote a text that begins with *, & or !',
  ],
  [/^Comments must be separated/, 'a space is missing before "#"', 'write " #" before a comment, or quote the text'],
  [
    /^(Nested mappings|A block sequence may not)/,
    'a map or list begins in the middle of a line',
    'quote a text with ": " in it, or begin on the next line, indented',
  ],
  [/^Block collections? /, 'indented lines cannot be entries inside brackets', 'write the entries inside the brackets, with commas between them'],
  [/^Sequence item without/, 'this line of a list does not begin with "-"', 'begin it with "- "'],
];

/** A message of the library in this project's words; its own words for what is not in the table. */
export function rareError(message: string): { readonly message: string; readonly help?: string } {
  const found = rare.find(([is]) => is.test(message));
  if (found !== undefined) return { message: found[1], help: found[2] };
  const first = message.split('\n')[0] ?? message;
  return { message: first.charAt(0).toLowerCase() + first.slice(1).replace(/\.$/, '') };
}
