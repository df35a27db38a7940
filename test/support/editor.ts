import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createMessageConnection, StreamMessageReader, StreamMessageWriter } from 'vscode-jsonrpc/node.js';

/** A place in a text: line and character, from 0. */
export interface Position {
  readonly line: number;
  readonly character: number;
}

export interface EditorDiagnostic {
  readonly message: string;
  readonly range: { readonly start: Position; readonly end: Position };
}

/** yaml-language-server, as an editor talks to it. */
export interface Editor {
  /** Opens a text as a file at a path (which need not exist) and gives what is said of it. */
  diagnostics(path: string, text: string): Promise<EditorDiagnostic[]>;
  /** The labels offered at a place of a text opened as a file at a path. */
  completion(path: string, text: string, at: Position): Promise<string[]>;
  hover(path: string, text: string, at: Position): Promise<string>;
  /** What accepting an offered label puts into the text; undefined when it is not offered. */
  inserted(path: string, text: string, at: Position, label: string): Promise<string | undefined>;
  /** The titles of the quick fixes for what is said of a place. */
  fixes(path: string, text: string, at: Position): Promise<string[]>;
  close(): Promise<void>;
}

/** Starts the language server; it takes schemas from each file's own first line, and nothing from the network. */
async function openEditor(root: string): Promise<Editor> {
  const server = join(dirname(createRequire(import.meta.url).resolve('yaml-language-server/package.json')), 'bin/yaml-language-server');
  const child = spawn(process.execPath, [server, '--stdio'], { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] });
  const connection = createMessageConnection(new StreamMessageReader(child.stdout), new StreamMessageWriter(child.stdin));
  const waiting = new Map<string, (found: EditorDiagnostic[]) => void>();
  const settings = { yaml: { validate: true, hover: true, completion: true, schemaStore: { enable: false } } };
  connection.onRequest('workspace/configuration', ({ items }: { items: { section?: string }[] }) =>
    items.map(({ section }) => (section === 'yaml' ? settings.yaml : {})),
  );
  connection.onRequest('client/registerCapability', () => null);
  connection.onNotification('textDocument/publishDiagnostics', ({ uri, diagnostics }: { uri: string; diagnostics: EditorDiagnostic[] }) => {
    waiting.get(uri)?.(diagnostics);
  });
  connection.listen();
  await connection.sendRequest('initialize', {
    processId: process.pid,
    rootUri: pathToFileURL(root).href,
    capabilities: {
      workspace: { configuration: true },
      textDocument: {
        completion: { completionItem: { snippetSupport: true } },
        hover: { contentFormat: ['markdown'] },
        codeAction: { codeActionLiteralSupport: { codeActionKind: { valueSet: ['quickfix'] } } },
      },
    },
  });
  await connection.sendNotification('initialized', {});
  let opened = 0;
  // Each text under a name of its own: the server keeps answers by name.
  const open = async (path: string, text: string): Promise<{ uri: string; said: EditorDiagnostic[] }> => {
    opened += 1;
    const uri = pathToFileURL(path.replace(/[^/]*$/, (name) => `${opened}-${name}`)).href;
    const said = new Promise<EditorDiagnostic[]>((found) => waiting.set(uri, found));
    await connection.sendNotification('textDocument/didOpen', { textDocument: { uri, languageId: 'yaml', version: 1, text } });
    return { uri, said: await said };
  };
  return {
    diagnostics: async (path, text) => (await open(path, text)).said,
    completion: async (path, text, position) => {
      const { uri } = await open(path, text);
      const found = await connection.sendRequest<{ items: { label: string }[] }>('textDocument/completion', { textDocument: { uri }, position });
      return found.items.map((item) => item.label);
    },
    inserted: async (path, text, position, label) => {
      const { uri } = await open(path, text);
      const found = await connection.sendRequest<{ items: { label: string; textEdit?: { newText: string } }[] }>('textDocument/completion', {
        textDocument: { uri },
        position,
      });
      return found.items.find((item) => item.label === label)?.textEdit?.newText;
    },
    fixes: async (path, text, at) => {
      const { uri, said } = await open(path, text);
      const here = said.filter(({ range }) => range.start.line === at.line && range.start.character === at.character);
      const actions = await connection.sendRequest<{ title: string; kind?: string }[] | null>('textDocument/codeAction', {
        textDocument: { uri },
        range: here[0]?.range ?? { start: at, end: at },
        context: { diagnostics: here },
      });
      return (actions ?? []).filter(({ kind }) => kind === 'quickfix').map(({ title }) => title);
    },
    hover: async (path, text, position) => {
      const { uri } = await open(path, text);
      const found = await connection.sendRequest<{ contents: { value: string } } | null>('textDocument/hover', { textDocument: { uri }, position });
      return found?.contents.value ?? '';
    },
    close: async () => {
      await connection.sendRequest('shutdown');
      await connection.sendNotification('exit');
      connection.dispose();
      if (child.exitCode === null) await new Promise((done) => child.on('close', done));
    },
  };
}

/** Runs something with a language server of its own. */
export async function withEditor(root: string, body: (editor: Editor) => Promise<void>): Promise<void> {
  const editor = await openEditor(root);
  try {
    await body(editor);
  } finally {
    await editor.close();
  }
}
