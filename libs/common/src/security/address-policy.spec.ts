import fc from 'fast-check';
import { addressPolicy, checkUrl, isAddressAllowed, isCidr, MAX_URL_LENGTH } from './address-policy.js';

const PRODUCTION = addressPolicy({ allowHttp: false, allowedAddresses: [] });
const DEVELOPMENT = addressPolicy({ allowHttp: true, allowedAddresses: ['127.0.0.0/8', '::1/128'] });
const WIDE_OPEN = addressPolicy({ allowHttp: true, allowedAddresses: ['0.0.0.0/0', '::/0'] });

/** URLs, some of them hard to read on purpose, under the code they are refused with. */
const REFUSED_URLS = {
  address_not_allowed: [
    'https://127.0.0.1/',
    'https://127.255.255.254/',
    'https://127.1/',
    'https://127.0.0.1./',
    'https://2130706433/',
    'https://0x7f000001/',
    'https://0x7f.0.0.1/',
    'https://017700000001/',
    'https://0177.0.0.1/',
    'https://0/',
    'https://0.0.0.0/',
    'https://0.1.2.3/',
    'https://%31%32%37.0.0.1/',
    'https://１２７.０.０.１/',
    'https://①②⑦.0.0.1/',
    'https://127。0。0。1/',
    'https:127.0.0.1/',
    'https:\\\\127.0.0.1\\x',
    'https:///127.0.0.1/',
    ' https://127.0.0.1/',
    'https://127.0.\n0.1/',
    'https://10.0.0.1/',
    'https://10.255.255.255/',
    'https://172.16.0.1/',
    'https://172.31.255.255/',
    'https://192.168.0.1/',
    'https://169.254.169.254/latest/meta-data/',
    'https://169.254.170.2/',
    'https://0xa9fea9fe/',
    'https://2852039166/',
    'https://100.100.100.200/',
    'https://100.64.0.1/',
    'https://100.127.255.254/',
    'https://168.63.129.16/',
    'https://192.0.0.192/',
    'https://192.0.2.1/',
    'https://192.31.196.1/',
    'https://192.52.193.1/',
    'https://192.88.99.1/',
    'https://192.175.48.1/',
    'https://198.18.0.1/',
    'https://198.19.255.254/',
    'https://198.51.100.1/',
    'https://203.0.113.1/',
    'https://224.0.0.1/',
    'https://239.255.255.250/',
    'https://240.0.0.1/',
    'https://255.255.255.255/',
    'https://[::]/',
    'https://[::1]/',
    'https://[0:0:0:0:0:0:0:1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[::ffff:a9fe:a9fe]/',
    'https://[::ffff:8.8.8.8]/',
    'https://[::127.0.0.1]/',
    'https://[::ffff:0:127.0.0.1]/',
    'https://[64:ff9b::a9fe:a9fe]/',
    'https://[64:ff9b:1::a00:1]/',
    'https://[100::1]/',
    'https://[2001::1]/',
    'https://[2001:1ff::1]/',
    'https://[2002:7f00:1::]/',
    'https://[2002:a9fe:a9fe::]/',
    'https://[2001:db8::1]/',
    'https://[3fff::1]/',
    'https://[2620:4f:8000::1]/',
    'https://[5f00::1]/',
    'https://[fc00::1]/',
    'https://[fd00:ec2::254]/',
    'https://[fd20:ce::254]/',
    'https://[fe80::1]/',
    'https://[fec0::1]/',
    'https://[ff02::1]/',
    'https://[4000::1]/',
  ],
  name_not_allowed: [
    'https://localhost/',
    'https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/',
    'https://LOCALHOST./',
    'https://localhost../',
    'https://api.localhost/',
    'https://kafka:9092/',
    'https://com./',
    'https://postgres.default.svc.cluster.local/',
    'https://postgres.default.svc/',
    'https://metadata.google.internal/',
    'https://metadata/',
    'https://metadata.goog/',
    'https://printer.local/',
    'https://vault.corp/',
    'https://router.lan/',
    'https://nas.home.arpa/',
    'https://db.internal./',
    'https://x.localdomain/',
  ],
  credentials_in_url: [
    'https://good.example@127.0.0.1/',
    'https://user:pw@hooks.acme.io/',
    'https://:pw@hooks.acme.io/',
    'https://hooks.acme.io%40@10.0.0.1/',
  ],
  scheme_not_allowed: [
    'http://hooks.acme.io/',
    'http://127.0.0.1/',
    'file:///etc/passwd',
    'gopher://127.0.0.1:6379/_x',
    'ftp://hooks.acme.io/',
    'data:text/plain,x',
    'javascript:alert(1)',
    'ws://hooks.acme.io/',
    'unix:/var/run/docker.sock',
  ],
  port_not_allowed: ['https://hooks.acme.io:0/', 'https://hooks.acme.io:00/'],
  invalid_url: [
    '',
    'hooks.acme.io',
    '/path',
    '//hooks.acme.io/',
    'https://',
    'https://hooks.acme.io:65536/',
    'https://hooks.acme.io:x/',
    'https://127.0.0.256/',
    'https://127.0.0.1.1/',
    'https://1.2.3.4.5/',
    'https://exa mple.com/',
    'https://[fe80::1%25eth0]/',
    'https://[fe80::1%eth0]/',
    'https://[::1/',
    'https://::1/',
    'https://a%00b.io/',
  ],
  url_too_long: [`https://hooks.acme.io/${'x'.repeat(MAX_URL_LENGTH)}`],
};

const ACCEPTED_URLS = [
  'https://hooks.acme.io/a',
  'https://hooks.acme.io:8443/x?y=1#f',
  'https://xn--bcher-kva.de/',
  'https://bücher.de/',
  'https://localhost.acme.io/',
  'https://local.acme.io/',
  'https://10.acme.io/',
  'https://127.0.0.1.nip.io/',
  'https://a.b.c.acme.io./p',
  'https://1.1.1.1/',
  'https://[2606:4700:4700::1111]/',
  'https://172.15.255.255/',
  'https://172.32.0.1/',
  'https://100.63.255.255/',
  'https://100.128.0.0/',
  'https://169.253.255.255/',
  'https://169.255.0.0/',
  'https://198.17.255.255/',
  'https://198.20.0.0/',
  'https://223.255.255.255/',
  'https://128.0.0.1/',
  'https://11.0.0.1/',
  'https://[2001:200::1]/',
  'https://[2003::1]/',
  'https://[3ffe::1]/',
];

describe('checkUrl in production', () => {
  describe.each(Object.entries(REFUSED_URLS))('refuses as %s', (code, urls) => {
    it.each(urls)('%j', (url) => {
      expect(checkUrl(url, PRODUCTION)?.code).toBe(code);
    });
  });

  it.each(ACCEPTED_URLS)('accepts %j', (url) => {
    expect(checkUrl(url, PRODUCTION)).toBeUndefined();
  });

  it('given any text, then it answers and never throws', () => {
    const hosts = fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.ipV4Extended(), fc.domain());
    fc.assert(fc.property(hosts, (host) => void checkUrl(`https://${host}/`, PRODUCTION)));
  });
});

describe('checkUrl with an allow-list', () => {
  it.each(['http://127.0.0.1:4010/', 'http://localhost:4010/echo', 'https://[::1]:4010/', 'http://hooks.acme.io/'])(
    'given the loopback ranges, then it accepts %s',
    (url) => {
      expect(checkUrl(url, DEVELOPMENT)).toBeUndefined();
    },
  );

  it.each([
    ['http://10.0.0.1/', 'address_not_allowed'],
    ['http://[::ffff:127.0.0.1]/', 'address_not_allowed'],
    ['http://169.254.169.254/', 'address_not_allowed'],
    ['http://metadata.google.internal/', 'name_not_allowed'],
    ['http://user@localhost/', 'credentials_in_url'],
    ['http://localhost:0/', 'port_not_allowed'],
    ['ftp://localhost/', 'scheme_not_allowed'],
  ])('given the loopback ranges, then it refuses %s as %s', (url, code) => {
    expect(checkUrl(url, DEVELOPMENT)?.code).toBe(code);
  });

  it('given a scheme that is none of the allowed, then the message names those', () => {
    expect(checkUrl('ftp://hooks.acme.io/', PRODUCTION)?.message).toBe('must use https');
    expect(checkUrl('ftp://hooks.acme.io/', DEVELOPMENT)?.message).toBe('must use https or http');
  });

  it('given a range, then names of that network are accepted, and their addresses decide later', () => {
    const cluster = addressPolicy({ allowHttp: true, allowedAddresses: ['10.96.0.0/12'] });
    expect(checkUrl('http://receiver.default.svc.cluster.local/', cluster)).toBeUndefined();
    expect(checkUrl('http://receiver/', cluster)).toBeUndefined();
    expect(isAddressAllowed('10.96.0.1', cluster)).toBe(true);
    expect(isAddressAllowed('127.0.0.1', cluster)).toBe(false);
  });
});

describe('isAddressAllowed', () => {
  it.each(['127.0.0.1', '127.255.255.254', '::1', '8.8.8.8', '2606:4700:4700::1111'])(
    'given the loopback ranges, then it allows %s',
    (ip) => {
      expect(isAddressAllowed(ip, DEVELOPMENT)).toBe(true);
    },
  );

  it.each(['10.0.0.1', '::ffff:127.0.0.1', '::ffff:7f00:1', '::2', '0.0.0.0', '64:ff9b::7f00:1', 'fe80::1'])(
    'given the loopback ranges, then it refuses %s',
    (ip) => {
      expect(isAddressAllowed(ip, DEVELOPMENT)).toBe(false);
    },
  );

  it.each([
    '169.254.169.254',
    '169.254.170.2',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    'fd00:ec2::254',
    'fd20:ce::254',
    'fe80::a9fe:a9fe',
  ])('given that everything is allowed, then the metadata address %s still is not', (ip) => {
    expect(isAddressAllowed(ip, WIDE_OPEN)).toBe(false);
  });

  it.each(['', 'localhost', '1.2.3', '1', '0x01.1.1.1', '01.1.1.1', '2606:4700::1%eth0', '1.1.1.1/32', ' 1.1.1.1'])(
    'given %j, which is no plain address, then it is refused',
    (ip) => {
      expect(isAddressAllowed(ip, WIDE_OPEN)).toBe(false);
    },
  );

  it('given any IPv4 address inside IPv6, in whatever form, then it is refused', () => {
    const prefixes = fc.constantFrom('::', '::ffff:', '::ffff:0:', '64:ff9b::', '64:ff9b:1::');
    fc.assert(
      fc.property(prefixes, fc.ipV4(), (prefix, ip) => {
        expect(isAddressAllowed(prefix + ip, PRODUCTION)).toBe(false);
      }),
    );
  });

  it('given the edges of 172.16.0.0/12, then exactly the range is refused', () => {
    fc.assert(
      fc.property(fc.nat(255), fc.ipV4(), (second, ip) => {
        const [, , third, fourth] = ip.split('.');
        const isPrivate = second >= 16 && second <= 31;
        expect(isAddressAllowed(`172.${second}.${third}.${fourth}`, PRODUCTION)).toBe(!isPrivate);
      }),
    );
  });
});

describe('isCidr', () => {
  it.each(['127.0.0.0/8', '::1/128', '0.0.0.0/0', '2001:db8::/32'])('accepts %s', (text) => {
    expect(isCidr(text)).toBe(true);
  });

  it.each(['', '127.0.0.1', '127.0.0.0/33', '::1/129', '127/8', '0x7f.0.0.0/8', '10.0.0.0/8/8', 'localhost/8', '/8'])(
    'refuses %j',
    (text) => {
      expect(isCidr(text)).toBe(false);
    },
  );
});
