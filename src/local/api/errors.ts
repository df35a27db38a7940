/**
 * A refusal with EC2's own code and message.
 * Source: EC2 API reference, "Error codes for the Amazon EC2 API".
 */
export class Ec2Error extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status = 400,
  ) {
    super(message.length > longest ? `${message.slice(0, longest)}…` : message);
    this.name = 'Ec2Error';
  }
}

/** A text without the absolute paths in it, quoted or not. */
export function withoutPaths(text: string): string {
  return text.replace(/(['"])\/.*?\1/g, '$1…$1').replace(/(?<![^\s(=:'"])\/[^\s'"`,;:)]+/g, '…');
}

/** Messages are cut, so that long client input, such as an id of a megabyte, is not sent back completely. */
const longest = 2000;
