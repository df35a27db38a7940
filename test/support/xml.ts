/**
 * Whether a text is a well-formed document of XML 1.0, of the kind that EC2 sends: elements, attributes in double
 * quotes, the five entities and numbers of characters.
 */
export function isWellFormed(text: string): boolean {
  const document = text.replace(/^<\?xml version="1\.0" encoding="UTF-8"\?>\n/, '');
  if (document === text || /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(text)) return false;
  const open: string[] = [];
  let roots = 0;
  let rest = document;
  while (rest !== '') {
    const [whole, close, name, content] = /^(?:<(\/?)([A-Za-z][\w.]*)(?: xmlns="[^"<&]*")?>|((?:[^<>&]|&(?:amp|lt|gt|quot|apos|#[0-9]+);)+))/.exec(rest) ?? [];
    if (whole === undefined) return false;
    if (content !== undefined && open.length === 0) return false;
    if (name !== undefined && close === '') {
      if (open.length === 0) roots += 1;
      open.push(name);
    } else if (name !== undefined && open.pop() !== name) return false;
    rest = rest.slice(whole.length);
  }
  return open.length === 0 && roots === 1;
}
