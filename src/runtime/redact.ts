import { leastSecret } from '../dsl/inputs.js';

/** Knows the secrets of a run and takes them out of text. */
export class Redactor {
  private readonly secrets = new Set<string>();
  private pattern: RegExp | undefined;

  /** Registers a value, every line of it, and its base64 and URL-encoded forms. Short ones hide nothing and are ignored. */
  add(value: unknown): void {
    if (typeof value === 'object' && value !== null) {
      for (const inner of Object.values(value)) this.add(inner);
      return;
    }
    const text = value === null || value === undefined || typeof value === 'boolean' ? '' : String(value);
    for (const form of [...text.split('\n'), Buffer.from(text).toString('base64'), encodeURIComponent(text)]) {
      if (form.trim().length < leastSecret || text.length < leastSecret) continue;
      this.secrets.add(form.trim());
      this.pattern = undefined;
    }
  }

  /** The text with each secret as `***`. */
  redact(text: string): string {
    if (this.secrets.size === 0) return text;
    this.pattern ??= new RegExp(
      [...this.secrets]
        .sort((a, b) => b.length - a.length)
        .map((secret) => secret.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
        .join('|'),
      'g',
    );
    return text.replace(this.pattern, '***');
  }

  /** A value with each secret in its strings as `***`. */
  redactValue<T>(value: T): T {
    if (this.secrets.size === 0 || value === undefined) return value;
    return JSON.parse(JSON.stringify(value), (_key, inner: unknown) =>
      typeof inner === 'string' ? this.redact(inner) : typeof inner === 'number' && this.secrets.has(String(inner)) ? '***' : inner,
    ) as T;
  }
}
