import { describe, expect, it } from 'vitest'
import { Task } from '../../dsl/task.ts'
import { typicalFacts } from '../../dsl/play.ts'
import { type Http, http, httpAnswer, httpPage } from '../../modules/http.ts'
import type { HttpAnswer } from '../../probe/http.ts'

const url = 'https://coaching.example/'
const page = httpPage(200, {
  earlyHints: ['/a.css', 'https://cdn.example/b.woff2'],
  header: { 'Content-Type': 'text/html; charset=UTF-8', 'Set-Cookie': 'session=s3cret' },
  body: '<p>Hello.',
})
const found = (task: Http, now: HttpAnswer) => task.find({ now, before: now, facts: typicalFacts })
const problems = (task: Task) => task.problems.map(({ message }) => message)

describe('the question', () => {
  it('is that of a browser that opens the page', () => {
    expect(http(url).view).toEqual({
      key: 'http:https://coaching.example/',
      request: {
        url,
        method: 'GET',
        headers: { 'sec-fetch-mode': 'navigate', accept: 'text/html,*/*;q=0.8', 'user-agent': 'fleetplay' },
        via: undefined,
        verify: true,
        deadline: 10,
      },
    })
  })

  it('goes to an address, takes any certificate, and sends other headers, where that is said', () => {
    const { key, request } = http(url)
      .via('10.0.3.11:8443')
      .insecure()
      .header('Sec-Fetch-Mode', 'cors')
      .timeout('3s').view
    expect(request).toMatchObject({ url, via: '10.0.3.11:8443', verify: false, deadline: 3 })
    expect(request.headers['sec-fetch-mode']).toBe('cors')
    expect(key).toBe('http:https://coaching.example/, via 10.0.3.11:8443, sec-fetch-mode: cors')
  })

  it('is another where it is asked elsewhere, and a mock host can tell them apart', () => {
    expect(http(url).expect({ status: 200 }).view.key).toBe(httpAnswer(url).key)
    expect(http(url).via('10.0.3.11').view.key).toBe(httpAnswer(url, { via: '10.0.3.11' }).key)
    expect(http(url).via('10.0.3.11').view.key).not.toBe(httpAnswer(url).key)
  })

  it('is a task that wishes nothing', () => {
    const task: Task = http(url)
    expect(task).toBeInstanceOf(Task)
    expect(task.wishes).toEqual([])
  })

  it.each<[Task, string]>([
    [http('coaching.example'), 'http: "coaching.example" is not a URL such as https://coaching.example/'],
    [http('ftp://coaching.example/'), 'http: "ftp://coaching.example/" is not a URL such as https://coaching.example/'],
    [http('https://a:b@coaching.example/'), 'http: a URL with a user or a password in it is not taken'],
    [http('https://a/#b'), 'http: "https://a/#b" has a fragment, which a request never carries'],
    [http(url).via('a b'), `http ${url}: "a b" is not an address such as 10.0.3.11 or 10.0.3.11:8443`],
    [http(url).via('10.0.3.11:0'), `http ${url}: "10.0.3.11:0" is not an address such as 10.0.3.11 or 10.0.3.11:8443`],
    [http(url).via('[10.0.3.11]'), `http ${url}: "[10.0.3.11]" is not an address such as 10.0.3.11 or 10.0.3.11:8443`],
    [http(url).header('a b', 'c'), `http ${url}: "a b" is not the name of a header`],
    [http(url).header('X-A', 'b\r\nX-C: d'), `http ${url}: the header X-A has a value that no header can have`],
    [
      http(url).header('Authorization', 'Basic eA=='),
      `http ${url}: Authorization proves who asks, and a play is no place for a secret`,
    ],
    [http(url).header('Cookie', 'a=b'), `http ${url}: Cookie proves who asks, and a play is no place for a secret`],
    ...['X-Api-Key', 'X-Auth-Token', 'Proxy-Authorization'].map((name): [Task, string] => [
      http(url).header(name, 'hush'),
      `http ${url}: ${name} proves who asks, and a play is no place for a secret`,
    ]),
    [http('https://a/?access_token=b'), 'http: a URL with a password or token in its query is not taken'],
    [http(url).header('Connection', 'x'), `http ${url}: Connection belongs to the connection, and is not taken`],
    [http(url).expect({ status: 103 }), 'expect: 103 is not a final status (200 to 599)'],
    [http(url).expect({ earlyHints: [] }), 'expect: earlyHints names nothing; leave it out'],
    [http(url).expect({ header: { 'a:': 'b' } }), 'expect: "a:" is not the name of a header'],
  ])('is refused before any connection where it is none: $id', (task, problem) => {
    expect(problems(task)).toEqual([problem])
    expect(task.problems[0]!.place?.file).toBe(import.meta.filename)
  })

  it.each(['10.0.3.11', 'web1.internal:8443', '2001:db8::1', '[2001:db8::1]:443'])(
    'takes the address %s',
    (address) => {
      expect(problems(http(url).via(address))).toEqual([])
    },
  )

  it('does not compile with an expectation that there is none of', () => {
    // @ts-expect-error -- the word is bodyContains
    expect(problems(http(url).expect({ body: 'Hello' }))).toEqual([])
  })
})

describe('the answer', () => {
  it('is told in one line', () => {
    const slow: HttpAnswer = {
      ...page,
      informational: page.informational.map((head) => ({ ...head, after: 8 })),
      final: { ...page.final, after: 312 },
    }
    expect(found(http(url), slow)).toEqual({ says: 'HTTP/2 200 after 312 ms, 103 after 8 ms with 2 links' })
    expect(found(http(url), httpPage(502)).says).toBe('HTTP/2 502 after 0 ms')
  })

  it('is as expected', () => {
    const task = http(url)
      .expect({ status: 200, protocol: 'HTTP/2', bodyContains: 'Hello' })
      .expect({ earlyHints: ['https://cdn.example/b.woff2', '/a.css'] })
      .expect({ header: { 'content-type': /^text\/html/, 'Content-Type': 'text/html; charset=UTF-8' } })
    expect(found(task, page).unexpected).toBeUndefined()
    // An absolute link to the site is the same as one without it, and HTTP/1.1 may send several in one header.
    const joined = [{ status: 103, headers: { link: [`<${url}a.css>; rel=preload, </b>`] }, after: 0 }]
    expect(
      found(http(url).expect({ earlyHints: ['/a.css', '/b'] }), { ...page, informational: joined }).unexpected,
    ).toBe(undefined)
  })

  it('is compared by names of any case, since HAProxy and HTTP/2 write them in lower case', () => {
    const answer = httpPage(200, { header: { 'x-cache': 'HIT' } })
    expect(found(http(url).expect({ header: { 'X-Cache': 'HIT' } }), answer).unexpected).toBeUndefined()
    expect(found(http(url).expect({ header: { 'X-CACHE': 'hit' } }), answer).unexpected?.message).toBe(
      'https://coaching.example/: the header X-CACHE is "HIT", not "hit".',
    )
  })

  it('is not as expected: all of it is told, with the heads', () => {
    const task = http(url).expect({
      status: 200,
      protocol: 'HTTP/1.1',
      bodyContains: 'Hello',
      header: { 'X-Cache': 'HIT', 'Content-Type': /^text\/html/ },
    })
    const bad = httpPage(502, {
      header: { 'content-type': 'text/plain', location: '/x', server: 'nginx' },
      body: 'Bad',
    })
    expect(found(task, bad)).toEqual({
      says: 'HTTP/2 502 after 0 ms',
      table: ['502 after 0 ms', '  location: /x', '  content-type: text/plain'],
      unexpected: {
        message:
          'https://coaching.example/: the status is 502, not 200; it came by HTTP/2, not HTTP/1.1; there is no header X-Cache, which should be "HIT"; the header Content-Type is "text/plain", not /^text\\/html/; the body has no "Hello".',
        hint: undefined,
      },
    })
  })

  it('keeps the value of a cookie to itself', () => {
    const sight = found(http(url).expect({ header: { 'Set-Cookie': /HttpOnly/ } }), page)
    expect(sight.unexpected!.message).toContain('the header Set-Cookie is another, not /HttpOnly/')
    expect(JSON.stringify(sight)).not.toContain('s3cret')
  })

  const hinted = http(url).expect({ earlyHints: ['/a.css', '/c.css'] })

  it('lacks a link of the 103', () => {
    expect(found(hinted, page).unexpected).toEqual({
      message: 'https://coaching.example/: the 103 does not link to /c.css.',
      hint: undefined,
    })
  })

  it('has it in a second 103, which browsers do not act on', () => {
    const [first] = page.informational
    const second = { status: 103, headers: { link: ['</c.css>'] }, after: 1 }
    expect(found(hinted, { ...page, informational: [first!, second] }).unexpected).toMatchObject({
      hint: 'A later 103 does; browsers act on the first one only.',
    })
  })

  it('has it with the page, where add_header was taken for hints', () => {
    const late = httpPage(200, { header: { Link: '</a.css>; rel=preload, </c.css>; rel=preload' } })
    expect(found(hinted, late).unexpected).toEqual({
      message: 'https://coaching.example/: no 103 Early Hints came.',
      hint: 'The final answer does: that is a preload header, which comes too late to be a hint.',
    })
  })

  it('came by HTTP/1.1, to which nobody sends hints', () => {
    expect(found(hinted, { ...httpPage(200), protocol: 'HTTP/1.1' }).unexpected).toMatchObject({
      hint: 'It was answered by HTTP/1.1; servers commonly send hints by HTTP/2 only.',
    })
  })
})
