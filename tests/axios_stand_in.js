// The little of axios that the documents' samples use: get and post, which answer with `status`
// and `data`, and refuse with an error that has the `response`.
const http = require('http');

function send(method, url, body, headers) {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const length = text === undefined ? {} : { 'Content-Length': Buffer.byteLength(text) };
    const request = http.request(url, { method, headers: { ...headers, ...length } }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => {
        const response = { status: answer.statusCode, data: JSON.parse(Buffer.concat(parts)) };
        if (response.status < 300) {
          resolve(response);
        } else {
          reject(Object.assign(new Error(`status ${response.status}`), { response }));
        }
      });
    });
    request.on('error', reject);
    request.end(text);
  });
}

module.exports = {
  get: (url, options = {}) => send('GET', url, undefined, options.headers),
  post: (url, body, options = {}) => send('POST', url, body, options.headers),
};
