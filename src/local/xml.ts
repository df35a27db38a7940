/** What an answer is made of; undefined is left out, a list becomes `<item>`s. */
export type XmlValue = string | number | boolean | Date | undefined | readonly XmlValue[] | { readonly [name: string]: XmlValue };

const namespace = 'http://ec2.amazonaws.com/doc/2016-11-15/';

/** The body of an answer to an action. */
export function answer(action: string, requestId: string, body: Readonly<Record<string, XmlValue>>): string {
  return `${head}<${action}Response xmlns="${namespace}">${element('requestId', requestId)}${children(body)}</${action}Response>`;
}

/** The body of a refusal. */
export function refusal(code: string, message: string, requestId: string): string {
  return `${head}<Response><Errors><Error>${element('Code', code)}${element('Message', message)}</Error></Errors>${element('RequestID', requestId)}</Response>`;
}

/** The body of an answer of STS. Source: AWS query protocol. */
export function stsAnswer(action: string, requestId: string, body: Readonly<Record<string, XmlValue>>): string {
  const result = element(`${action}Result`, body);
  return `${head}<${action}Response xmlns="${stsNamespace}">${result}${element('ResponseMetadata', { RequestId: requestId })}</${action}Response>`;
}

/** The body of a refusal of STS. */
export function stsRefusal(code: string, message: string, requestId: string): string {
  const error = element('Error', { Type: 'Sender', Code: code, Message: message });
  return `${head}<ErrorResponse xmlns="${stsNamespace}">${error}${element('RequestId', requestId)}</ErrorResponse>`;
}

const stsNamespace = 'https://sts.amazonaws.com/doc/2011-06-15/';

const head = '<?xml version="1.0" encoding="UTF-8"?>\n';

function element(name: string, value: XmlValue): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return `<${name}>${value.map((item) => element('item', item)).join('')}</${name}>`;
  if (value instanceof Date) return element(name, value.toISOString());
  if (typeof value === 'object') return `<${name}>${children(value as Record<string, XmlValue>)}</${name}>`;
  return `<${name}>${escape(String(value))}</${name}>`;
}

function children(body: Readonly<Record<string, XmlValue>>): string {
  return Object.entries(body)
    .map(([name, value]) => element(name, value))
    .join('');
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escape(text: string): string {
  // Control characters cannot stand in XML at all.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[&<>"]/g, (c) => entities[c] ?? c).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '');
}
