/** The services of the embedded EC2 that take signed requests. */
export type Service = 'ec2' | 'sts' | 'ebs';

/** A client that sends requests over HTTP. */
export interface HttpClient {
  /** @throws Ec2Error when the client may not use a service. */
  admit(service: Service): Promise<void>;
  /** The address of the client's machine, if it is another one. */
  readonly from?: string | undefined;
}

/** An HTTP answer. */
export interface WireAnswer {
  readonly status: number;
  readonly body: string;
}

/** A request with its answer, as written to the log. */
export interface WireEntry extends Partial<WireAnswer> {
  readonly service: Service | 'imds';
  /** The action; for the metadata service, the method and the path. */
  readonly action: string;
  readonly region: string;
  readonly account?: string;
  /** The code of the error, if the request was refused. */
  readonly code?: string | undefined;
  readonly ms: number;
  /** The form of a request to EC2 or STS. */
  readonly form?: string;
  /** A request to EBS: method, path and query, the headers that are parameters, and a body in JSON. */
  readonly request?: { readonly line: string; readonly headers: Headers; readonly body?: string | undefined };
  /** The headers of EBS's answer. */
  readonly headers?: Headers;
}

type Headers = Readonly<Record<string, string>>;
