import { Composer, type Document, Lexer, Parser } from 'yaml';
import { limits } from './limits.js';

/** The documents of a text, up to the second one; undefined if it has too many tokens, each of which takes memory. */
export function firstDocuments(text: string): Document[] | undefined {
  const parser = new Parser();
  // Duplicate keys are found later: yaml compares each key with all others.
  const composer = new Composer({ version: '1.2', prettyErrors: false, uniqueKeys: false });
  const documents: Document[] = [];
  let count = 0;
  for (const lexeme of new Lexer().lex(text)) {
    count += 1;
    if (count > limits.tokens) return undefined;
    for (const token of parser.next(lexeme)) documents.push(...composer.next(token));
    if (documents.length > 1) return documents;
  }
  for (const token of parser.end()) documents.push(...composer.next(token));
  return [...documents, ...composer.end()];
}
