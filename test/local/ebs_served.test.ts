import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CompleteSnapshotCommand, EBSClient, StartSnapshotCommand } from '@aws-sdk/client-ebs';
import { SignatureV4 } from '@smithy/signature-v4';
import * as assert from 'uvu/assert';
import { block, blocksOf, digest, put, refusalOf, uploaded } from '../support/ebs.js';
import { inFolder } from '../support/folder.js';
import { keysOf, type Server, serveIn, withServer } from '../support/served.js';
import { ask } from '../support/signed.js';
import { suite } from '../support/suite.js';

function clientOf(server: Server): EBSClient {
  return new EBSClient({ endpoint: server.endpoint, region: 'local-1', credentials: keysOf(server), maxAttempts: 1 });
}

/** The hash that the signer uses. */
class Sha256 {
  private readonly hash: Hash | Hmac;

  constructor(secret?: unknown) {
    this.hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as Buffer);
  }

  update(data: Uint8Array): void {
    this.hash.update(data);
  }

  async digest(): Promise<Uint8Array> {
    return this.hash.digest();
  }

  reset(): void {}
}

suite('EBS over HTTP', (test) => {
  test('blocks go through the wire, also when their data is not signed; the log has everything but the data', () =>
    withServer(async (server) => {
      const ebs = clientOf(server);
      const parent = await uploaded(ebs, { 0: block('a'), 9: block('b') });
      const unsigned = clientOf(server);
      unsigned.middlewareStack.add(
        (next) => async (args) => {
          const request = args.request as { method: string; headers: Record<string, string> };
          if (request.method === 'PUT') request.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
          return next(args);
        },
        { step: 'build' },
      );
      const child = await uploaded(unsigned, { 9: block('B') }, { ParentSnapshotId: parent });
      const found = await blocksOf(ebs, child);
      assert.ok(found.get(0)?.equals(block('a')) && found.get(9)?.equals(block('B')));
      const log = readFileSync(join(server.folder, 'log.ndjson'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      assert.equal(
        log.slice(0, 2).map(({ service, action, status, request: { line } }) => [service, action, status, line.replace(/snap-\w+/, 'ID')]),
        [
          ['ebs', 'StartSnapshot', 201, 'POST /snapshots'],
          ['ebs', 'PutSnapshotBlock', 201, 'PUT /snapshots/ID/blocks/0'],
        ],
      );
      assert.ok(JSON.stringify(log).length < 30_000, 'without the data');
    }));

  test('the data of a block may be unsigned without a header that says so, but not its checksum', () =>
    withServer(async (server) => {
      const { SnapshotId: id = '' } = await clientOf(server).send(new StartSnapshotCommand({ VolumeSize: 1 }));
      const signer = new SignatureV4({ credentials: keysOf(server), region: 'local-1', service: 'ebs', sha256: Sha256, applyChecksum: false });
      const { host, hostname } = new URL(server.endpoint);
      const path = `/snapshots/${id}/blocks/0`;
      const data = block('a');
      const sum = { 'x-amz-data-length': String(data.length), 'x-amz-checksum': digest(data).toString('base64'), 'x-amz-checksum-algorithm': 'SHA256' };
      // What is neither text nor bytes is not signed.
      const sign = async (headers: Record<string, string>) =>
        (await signer.sign({ method: 'PUT', protocol: 'http:', hostname, path, headers: { host, ...headers }, body: {} })).headers;
      const send = async (headers: Record<string, string>) => (await fetch(`${server.endpoint}${path}`, { method: 'PUT', headers, body: data })).status;
      assert.is(await send(await sign(sum)), 201);
      assert.is(await send({ ...(await sign({})), ...sum }), 403, 'the checksum is not signed');
      assert.is(await send({ ...(await sign(sum)), 'x-amz-checksum': digest(block('b')).toString('base64') }), 403, 'another checksum');
    }));

  test('a snapshot under way outlasts the server', () =>
    inFolder({}, async (folder) => {
      const first = await serveIn(folder);
      const { SnapshotId: id = '' } = await clientOf(first).send(new StartSnapshotCommand({ VolumeSize: 1 }));
      await put(clientOf(first), id, 0, block('a'));
      first.child.kill('SIGKILL');
      await first.stop();
      const second = await serveIn(folder);
      const ebs = clientOf(second);
      await put(ebs, id, 1, block('b'));
      await ebs.send(new CompleteSnapshotCommand({ SnapshotId: id, ChangedBlocksCount: 2 }));
      const found = await blocksOf(ebs, id);
      assert.ok(found.get(0)?.equals(block('a')) && found.get(1)?.equals(block('b')));
      assert.is((await second.stop()).code, 0);
    }));

  test('what is not signed for EBS with the key, too large, from a page, or unknown is refused in JSON', () =>
    withServer(async (server) => {
      const url = `${server.endpoint}/snapshots`;
      const secret = keysOf(server).secretAccessKey;
      const body = '{"VolumeSize": 1}';
      const answer = async (asked: Partial<Parameters<typeof ask>[0]>) => {
        const { status, text } = await ask({ url, service: 'ebs', secret, body, ...asked });
        return [status, JSON.parse(text).Message];
      };
      assert.equal((await answer({}))[0], 201);
      assert.match((await answer({ secret: 'wrong' })).join(' '), /^403 .*not signed with this server's secret access key/);
      assert.match((await answer({ service: 'ec2' })).join(' '), /^403 .*not signed with this server's secret access key/);
      assert.match((await answer({ secret: undefined })).join(' '), /^403 The request must be signed/);
      assert.match((await answer({ at: new Date(Date.now() - 3_600_000) })).join(' '), /^403 Request has expired/);
      assert.match((await answer({ headers: { origin: 'http://page.example' } })).join(' '), /^403 Requests from web pages are refused/);
      assert.match((await answer({ body: 'x'.repeat(2 ** 20 + 1) })).join(' '), /^413 The request has more than/);
      assert.equal(await answer({ body: '[]' }), [400, 'The body of the request is not a JSON object']);
      assert.equal(await answer({ body: '{"VolumeSize": 1, "Colour": "red"}' }), [400, 'Unknown parameter Colour']);
      assert.equal(await answer({ url: `${url}/x/y`, method: 'DELETE', body: '' }), [404, 'EBS has no such action.']);
      assert.equal((await answer({ url: `${url}/x/blocks`, method: 'GET', body: '' }))[0], 400);
      const wrong = new EBSClient({ endpoint: server.endpoint, region: 'local-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' }, maxAttempts: 1 });
      assert.match(await refusalOf(wrong.send(new StartSnapshotCommand({ VolumeSize: 1 }))), /^InvalidSignatureException: /);
    }));

  test('without keys, a request that a web page can send is refused', () =>
    inFolder({}, async (folder) => {
      const server = await serveIn(folder, '--no-auth');
      const ebs = new EBSClient({ endpoint: server.endpoint, region: 'local-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' }, maxAttempts: 1 });
      const id = await uploaded(ebs, { 0: block('a') });
      assert.is((await blocksOf(ebs, id)).size, 1);
      assert.is((await ask({ url: `${server.endpoint}/snapshots/${id}/blocks`, method: 'GET' })).status, 403);
      await server.stop();
    }));
});
