/** EC2's error code, e.g. `InvalidVolume.NotFound`; undefined for other errors. */
export function codeOf(error: unknown): string | undefined {
  // The SDK adds metadata to network errors too; only a response has a status.
  const status = (error as { $metadata?: { httpStatusCode?: number } } | null)?.$metadata?.httpStatusCode;
  return error instanceof Error && status !== undefined ? error.name : undefined;
}

/** Whether EC2 reports that a resource does not exist. */
export function isNotFound(error: unknown): boolean {
  return /^(Invalid\w+\.(NotFound|Unavailable)|ResourceNotFoundException)$/.test(codeOf(error) ?? '');
}

/**
 * Whether EC2 rejects a call because of a limit that goes away once other work has ended.
 * Source: EC2 API reference, "Error codes for the Amazon EC2 API".
 */
export function isPassingLimit(error: unknown): boolean {
  return /^(ResourceLimitExceeded|SnapshotCreationPerVolumeRateExceeded|ConcurrentSnapshotLimitExceeded|PendingSnapshot\w*|ConcurrentTagAccess)$/.test(
    codeOf(error) ?? '',
  );
}

/** Whether EC2 rejects a call for good, so that retries are useless. */
export function isRefusal(error: unknown): boolean {
  return (
    isExpiry(error) ||
    hasNoKeys(error) ||
    /^(UnauthorizedOperation|AuthFailure|AccessDenied|InvalidClientTokenId|SignatureDoesNotMatch|OptInRequired|Blocked)/.test(codeOf(error) ?? '')
  );
}

/** Whether there are no credentials, or none could be renewed. Source: the SDK's provider chain. */
export function hasNoKeys(error: unknown): boolean {
  return error instanceof Error && /^(CredentialsProviderError|TokenProviderError)$/.test(error.name);
}

/** Errors of requests that were rejected at every attempt. */
const withoutEffect = new WeakSet<Error>();

/** Marks an error: no earlier attempt of the same request can have had an effect. */
export function markWithoutEffect(error: Error): void {
  withoutEffect.add(error);
}

/** Whether a call was rejected, and no earlier attempt of it can have had an effect. */
export function changedNothing(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof Error && withoutEffect.has(error.cause);
}

/** The same error without that mark: something may have changed. */
export function notSure(error: Error): Error {
  return new Error(error.message, { cause: error });
}

/** Whether EC2 reports that the credentials have expired. */
export function isExpiry(error: unknown): boolean {
  return /^(RequestExpired|ExpiredToken)/.test(codeOf(error) ?? '');
}

/** Whether the response to a call was lost, so that the call may have had an effect. */
export function isLost(error: unknown): boolean {
  const code = codeOf(error);
  return code === undefined || /^(Internal|ServiceUnavailable|Unavailable|RequestTimeout|TimeoutError)/.test(code);
}

/** Whether EC2 throttled a call, which then had no effect. */
export function isThrottling(error: unknown): boolean {
  return /Throttl|RequestLimitExceeded|TooManyRequests/.test(codeOf(error) ?? '');
}

/** An error of EC2 that names the call, and adds help where there is some. */
export function inCall(call: string, error: unknown): Error {
  const code = codeOf(error);
  const { message } = error as Error;
  const help =
    code === 'UnauthorizedOperation'
      ? `\n  help: the permission ec2:${call} is missing`
      : code === 'AccessDeniedException'
        ? `\n  help: the permission ebs:${call} is missing, or the snapshot is not shared with this account`
        : isExpiry(error) || hasNoKeys(error)
          ? '\n  help: no valid credentials: renew them and try again'
          : '';
  return new Error(`${call}: ${code === undefined || message.startsWith(code) ? '' : `${code}: `}${message}${help}`, { cause: error });
}
