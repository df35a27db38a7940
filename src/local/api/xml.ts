/** The content of an answer. Undefined values are omitted; lists become `<item>`s. */
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

/** The body of an STS answer. Source: AWS query protocol. */
export function stsAnswer(action: string, requestId: string, body: Readonly<Record<string, XmlValue>>): string {
  const result = element(`${action}Result`, body);
  return `${head}<${action}Response xmlns="${stsNamespace}">${result}${element('ResponseMetadata', { RequestId: requestId })}</${action}Response>`;
}

/** The body of an STS refusal. */
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

// XML parsers turn an unescaped carriage return into a line feed. Source: XML 1.0, 2.11.
const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\r': '&#13;' };

function escape(text: string): string {
  return text.replace(/[&<>"\r]/g, (c) => entities[c] ?? c).replace(impossible, '');
}

/** The characters of a text that XML cannot represent; undefined when there are none. Source: XML 1.0, production `Char`. */
export function notInXml(text: string): readonly string[] | undefined {
  return text.match(impossible) ?? undefined;
}

const impossible = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;
