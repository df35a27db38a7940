import { createHmac, timingSafeEqual } from 'node:crypto';

/** Source: EBS User Guide, "Frequently asked questions for EBS direct APIs": seven days, and 60 minutes. */
const lifetimes = { block: 7 * 86_400_000, page: 3_600_000 };

/** Tokens by which an account reads blocks and the next pages of lists. They are valid for what they were made for, until they expire. */
export class Tokens {
  /** When the tokens made now expire, in whole seconds. */
  readonly expires: { readonly block: number; readonly page: number };

  constructor(
    private readonly key: Buffer,
    private readonly account: string,
    now = Date.now(),
  ) {
    const at = (ms: number) => Math.floor((now + ms) / 1000);
    this.expires = { block: at(lifetimes.block), page: at(lifetimes.page) };
  }

  /** The token of a block. */
  block(snapshot: string, index: number): string {
    return this.token(`block ${snapshot} ${index}`, this.expires.block, index);
  }

  isOfBlock(token: string, snapshot: string, index: number): boolean {
    return this.indexIn(token, (at) => `block ${snapshot} ${at}`) === index;
  }

  /** The token of the page of a list that begins at a block. */
  page(list: string, index: number): string {
    return this.token(`page ${list} ${index}`, this.expires.page, index);
  }

  /** The block at which the page of a token begins; undefined when the token is not valid for the list. */
  pageStart(token: string, list: string): number | undefined {
    return this.indexIn(token, (at) => `page ${list} ${at}`);
  }

  private token(purpose: string, expires: number, index: number): string {
    const head = Buffer.alloc(headBytes);
    head.writeUIntBE(expires, 0, 6);
    head.writeUIntBE(index, 6, 6);
    return Buffer.concat([head, this.seal(purpose, expires)]).toString('base64');
  }

  private indexIn(token: string, purposeAt: (index: number) => string): number | undefined {
    const bytes = Buffer.from(token, 'base64');
    if (bytes.length !== headBytes + 32) return undefined;
    const [expires, index] = [bytes.readUIntBE(0, 6), bytes.readUIntBE(6, 6)];
    if (!timingSafeEqual(bytes.subarray(headBytes), this.seal(purposeAt(index), expires))) return undefined;
    return expires * 1000 < Date.now() ? undefined : index;
  }

  private seal(purpose: string, expires: number): Buffer {
    return createHmac('sha256', this.key).update(`${this.account} ${purpose} ${expires}`).digest();
  }
}

/** The time and the block at the beginning of a token. */
const headBytes = 12;
