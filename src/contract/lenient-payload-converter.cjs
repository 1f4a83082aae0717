// CommonJS, because the SDK loads a payload converter with `require`, in Node as well as in the workflow bundle.
const { defaultPayloadConverter } = require('@temporalio/common');

/** @param {import('@temporalio/common').Payload} payload */
function encodingOf(payload) {
  const bytes = payload?.metadata?.encoding;
  // No TextDecoder: this runs in the workflow sandbox too, and an encoding's name is ASCII.
  return bytes ? Array.from(bytes, (byte) => String.fromCharCode(byte)).join('') : '';
}

/**
 * The default converter, except that reading never throws: a signal that cannot be read would fail its workflow task
 * again and again, for ever. What arrives instead is `{ __unreadable: true, encoding, problem }`, which every
 * validator refuses like any other wrong payload.
 *
 * @type {import('@temporalio/common').PayloadConverter}
 */
exports.payloadConverter = {
  toPayload: (value, context, hint) => defaultPayloadConverter.toPayload(value, context, hint),
  fromPayload(payload, context, hint) {
    try {
      return defaultPayloadConverter.fromPayload(payload, context, hint);
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      return /** @type {any} */ ({ __unreadable: true, encoding: encodingOf(payload), problem });
    }
  },
};
