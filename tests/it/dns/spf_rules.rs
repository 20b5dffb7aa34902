//! The rules of RFC 7208 one by one, as a table: section, what is special, the zone, the client, the result.
//!
//! `a.example` is judged for `jane.doe@a.example`, sent by `mail.client.example`. Rows of a zone stand apart by `|`; a row
//! without an owner is the SPF record of `a.example`.

use rehome::dns::spf::{Request, evaluate};

use super::scripted::Scripted;

const V4: &str = "192.0.2.3";
const V6: &str = "2001:db8::cafe";

const RULES: &[(&str, &str, &str, &str, &str)] = &[
    // Which record counts.
    ("4.5", "no text at all", "b.example TXT v=spf1 +all", V4, "none"),
    ("4.5", "only other texts", "a.example TXT hello|a.example TXT v=DKIM1", V4, "none"),
    ("4.5", "beside other texts", "hello|v=spf1 +all", V4, "pass"),
    ("4.5", "two records", "v=spf1 +all|v=spf1 -all", V4, "permerror"),
    ("4.5", "two records that are the same but for case", "v=spf1 +all|V=SPF1 +all", V4, "permerror"),
    ("4.5", "a longer version", "v=spf10 +all", V4, "none"),
    ("4.5", "a version with a dot", "v=spf1. +all", V4, "none"),
    ("4.5", "glued to the version", "v=spf1+all", V4, "none"),
    ("4.5", "a space before", " v=spf1 +all", V4, "none"),
    ("4.5", "sender ID is something else", "spf2.0/pra +all|v=spf1 -all", V4, "fail"),
    ("4.5", "the version alone", "v=spf1", V4, "neutral"),
    ("4.5", "spaces at the end", "v=spf1 -all   ", V4, "fail"),
    ("4.5", "many spaces between", "v=spf1    -all", V4, "fail"),
    ("4.4", "a failure", "a.example TXT !servfail", V4, "temperror"),
    ("4.4", "silence", "a.example TXT !timeout", V4, "temperror"),
    // Evaluation.
    ("4.6.2", "the first match counts", "v=spf1 ?ip4:192.0.2.0/24 -all", V4, "neutral"),
    ("4.6.2", "a match behind a mismatch", "v=spf1 ip4:198.51.100.0/24 ~ip4:192.0.2.3 +all", V4, "softfail"),
    ("4.7", "nothing matches", "v=spf1 ip4:198.51.100.1", V4, "neutral"),
    ("4.7", "nothing matches, and the only qualifier is a failure", "v=spf1 -ip4:198.51.100.1", V4, "neutral"),
    ("4.6", "a mistake behind a match", "v=spf1 +all moo", V4, "permerror"),
    ("4.6.1", "a name nobody knows", "v=spf1 mooo:x.example -all", V4, "permerror"),
    ("4.6.1", "a sign without a name", "v=spf1 + -all", V4, "permerror"),
    ("4.6.1", "two signs", "v=spf1 --all", V4, "permerror"),
    ("4.6.1", "a sign before a modifier", "v=spf1 +redirect=b.example", V4, "permerror"),
    ("4.6.1", "a comma", "v=spf1 ip4:192.0.2.3, -all", V4, "permerror"),
    ("4.6.1", "a name in capitals", "v=spf1 IP4:192.0.2.3 -ALL", V4, "pass"),
    ("4.6.1", "letters beyond ASCII in a value", "v=spf1 a:g\u{e0}rbage.example -all", V4, "permerror"),
    ("4.6.1", "letters beyond ASCII in a name", "v=spf1 \u{e0}ll", V4, "permerror"),
    ("4.6.1", "letters beyond ASCII behind a match", "v=spf1 +all \u{e9}=x", V4, "permerror"),
    ("4.5", "letters beyond ASCII in the text of others", "a.example TXT h\u{e9}llo|v=spf1 -all", V4, "fail"),
    ("4.6.1", "a control character", "v=spf1 a:ctrl\u{7}.example -all", V4, "permerror"),
    ("4.8", "an empty label", "v=spf1 a:x..example -all", V4, "fail"),
    // all
    ("5.1", "plain", "v=spf1 all", V4, "pass"),
    ("5.1", "with a value", "v=spf1 all:a.example", V4, "permerror"),
    ("5.1", "with a length", "v=spf1 all/8", V4, "permerror"),
    ("5.1", "with an equals sign it is a modifier nobody knows", "v=spf1 all=x", V4, "neutral"),
    ("5.1", "what stands behind has no effect", "v=spf1 -all ip4:192.0.2.3", V4, "fail"),
    // include
    ("5.2", "pass", "v=spf1 include:b.example -all|b.example TXT v=spf1 +all", V4, "pass"),
    ("5.2", "pass under a failing sign", "v=spf1 -include:b.example +all|b.example TXT v=spf1 +all", V4, "fail"),
    ("5.2", "fail is no match", "v=spf1 include:b.example ~all|b.example TXT v=spf1 -all", V4, "softfail"),
    ("5.2", "softfail is no match", "v=spf1 include:b.example -all|b.example TXT v=spf1 ~all", V4, "fail"),
    ("5.2", "neutral is no match", "v=spf1 include:b.example -all|b.example TXT v=spf1 ?all", V4, "fail"),
    ("5.2", "an empty record is no match", "v=spf1 include:b.example -all|b.example TXT v=spf1", V4, "fail"),
    ("5.2", "a mistake inside", "v=spf1 include:b.example -all|b.example TXT v=spf1 moo", V4, "permerror"),
    (
        "5.2",
        "two records inside",
        "v=spf1 include:b.example -all|b.example TXT v=spf1 -all|b.example TXT v=spf1 +all",
        V4,
        "permerror",
    ),
    ("5.2", "no record inside", "v=spf1 include:b.example -all|b.example A 192.0.2.3", V4, "permerror"),
    ("5.2", "a failure inside", "v=spf1 include:b.example -all|b.example TXT !servfail", V4, "temperror"),
    ("5.2", "a match before a failure", "v=spf1 ip4:192.0.2.3 include:b.example|b.example TXT !servfail", V4, "pass"),
    ("5.2", "without a name", "v=spf1 include -all", V4, "permerror"),
    ("5.2", "with an empty name", "v=spf1 include: -all", V4, "permerror"),
    ("5.2", "with a length", "v=spf1 include:b.example/24 -all", V4, "permerror"),
    (
        "5.2",
        "the name inside is the included one",
        "v=spf1 include:b.example -all|b.example TXT v=spf1 a -all|b.example A 192.0.2.3",
        V4,
        "pass",
    ),
    (
        "5.2",
        "a redirect inside",
        "v=spf1 include:b.example -all|b.example TXT v=spf1 redirect=c.example|c.example TXT v=spf1 +all",
        V4,
        "pass",
    ),
    // a
    ("5.3", "its own address", "v=spf1 a -all|a.example A 192.0.2.3", V4, "pass"),
    ("5.3", "one of several", "v=spf1 a -all|a.example A 192.0.2.9|a.example A 192.0.2.3", V4, "pass"),
    ("5.3", "of another host", "v=spf1 a:h.example -all|h.example A 192.0.2.3", V4, "pass"),
    (
        "5.3",
        "an IPv6 client asks for AAAA",
        "v=spf1 a -all|a.example A 192.0.2.3|a.example AAAA 2001:db8::cafe",
        V6,
        "pass",
    ),
    ("5.3", "no address of the client's family", "v=spf1 a -all|a.example A 192.0.2.3", V6, "fail"),
    ("5.3", "a network", "v=spf1 a/24 -all|a.example A 192.0.2.200", V4, "pass"),
    ("5.3", "a network of length 0", "v=spf1 a/0 -all|a.example A 8.8.8.8", V4, "pass"),
    ("5.3", "length 0 needs an address all the same", "v=spf1 a/0 -all", V4, "fail"),
    ("5.3", "both lengths", "v=spf1 a/8//32 -all|a.example AAAA 2001:db8:ffff::1", V6, "pass"),
    ("5.3", "the IPv6 length alone", "v=spf1 a//64 -all|a.example AAAA 2001:db8::1", V6, "pass"),
    ("5.3", "the IPv4 length says nothing of IPv6", "v=spf1 a/0 -all|a.example AAAA 2001:db8::1", V6, "fail"),
    ("5.3", "length 33", "v=spf1 a/33", V4, "permerror"),
    ("5.3", "length 129", "v=spf1 a//129", V4, "permerror"),
    ("5.3", "a leading zero", "v=spf1 a/08", V4, "permerror"),
    ("5.3", "an empty length", "v=spf1 a/", V4, "permerror"),
    ("5.3", "an empty name", "v=spf1 a:", V4, "permerror"),
    ("5.3", "a single label", "v=spf1 a:museum", V4, "permerror"),
    ("5.3", "a single label with a dot", "v=spf1 a:museum.", V4, "permerror"),
    ("5.3", "a last label of digits", "v=spf1 a:h.123", V4, "permerror"),
    ("5.3", "a last label with a hyphen first", "v=spf1 a:h.-x", V4, "permerror"),
    ("5.3", "a last label with a port", "v=spf1 a:h.example:25", V4, "permerror"),
    ("5.3", "an address for a name", "v=spf1 a:192.0.2.3", V4, "permerror"),
    ("5.3", "a final dot", "v=spf1 a:h.example. -all|h.example A 192.0.2.3", V4, "pass"),
    ("5.3", "odd signs inside a name", "v=spf1 a:x:y/z.example -all|x:y/z.example A 192.0.2.3", V4, "pass"),
    ("5.3", "a failure", "v=spf1 a -all|a.example A !timeout", V4, "temperror"),
    // mx
    ("5.4", "its own", "v=spf1 mx -all|a.example MX 10 m.example|m.example A 192.0.2.3", V4, "pass"),
    (
        "5.4",
        "of another domain",
        "v=spf1 mx:b.example -all|b.example MX 10 m.example|m.example A 192.0.2.3",
        V4,
        "pass",
    ),
    (
        "5.4",
        "the second of two",
        "v=spf1 mx -all|a.example MX 10 x.example|a.example MX 20 m.example|x.example A 192.0.2.9|m.example A 192.0.2.3",
        V4,
        "pass",
    ),
    ("5.4", "no MX: the address does not stand in", "v=spf1 mx -all|a.example A 192.0.2.3", V4, "fail"),
    ("5.4", "a null MX", "v=spf1 mx -all|a.example MX 0 .", V4, "fail"),
    ("5.4", "a host without an address is no void", "v=spf1 mx mx mx -all|a.example MX 1 no.example", V4, "fail"),
    ("5.4", "a network", "v=spf1 mx/24 -all|a.example MX 1 m.example|m.example A 192.0.2.77", V4, "pass"),
    ("5.4", "a failure of the host", "v=spf1 mx -all|a.example MX 1 m.example|m.example A !servfail", V4, "temperror"),
    ("5.4", "an empty name", "v=spf1 mx:", V4, "permerror"),
    ("5.4", "a bad length", "v=spf1 mx/x", V4, "permerror"),
    // ptr
    (
        "5.5",
        "below the domain",
        "v=spf1 ptr -all|3.2.0.192.in-addr.arpa PTR h.a.example|h.a.example A 192.0.2.3",
        V4,
        "pass",
    ),
    (
        "5.5",
        "the domain itself",
        "v=spf1 ptr -all|3.2.0.192.in-addr.arpa PTR a.example|a.example A 192.0.2.3",
        V4,
        "pass",
    ),
    (
        "5.5",
        "a name that only ends alike",
        "v=spf1 ptr -all|3.2.0.192.in-addr.arpa PTR xa.example|xa.example A 192.0.2.3",
        V4,
        "fail",
    ),
    (
        "5.5",
        "a name that does not lead back",
        "v=spf1 ptr -all|3.2.0.192.in-addr.arpa PTR h.a.example|h.a.example A 192.0.2.4",
        V4,
        "fail",
    ),
    (
        "5.5",
        "another domain",
        "v=spf1 ptr:b.example -all|3.2.0.192.in-addr.arpa PTR h.b.example|h.b.example A 192.0.2.3",
        V4,
        "pass",
    ),
    (
        "5.5",
        "a name in other letters",
        "v=spf1 ptr -all|3.2.0.192.in-addr.arpa PTR H.A.Example|h.a.example A 192.0.2.3",
        V4,
        "pass",
    ),
    ("5.5", "a failure is no match", "v=spf1 ptr -all|3.2.0.192.in-addr.arpa PTR !servfail", V4, "fail"),
    ("5.5", "with a length", "v=spf1 ptr/24", V4, "permerror"),
    ("5.5", "an empty name", "v=spf1 ptr:", V4, "permerror"),
    // ip4, ip6
    ("5.6", "one address", "v=spf1 ip4:192.0.2.3 -all", V4, "pass"),
    ("5.6", "the last of a network", "v=spf1 ip4:192.0.2.0/30 -all", V4, "pass"),
    ("5.6", "the first behind a network", "v=spf1 ip4:192.0.2.0/31 -all", V4, "fail"),
    ("5.6", "bits behind the length mean nothing", "v=spf1 ip4:192.0.2.99/24 -all", V4, "pass"),
    ("5.6", "length 0", "v=spf1 ip4:8.8.8.8/0 -all", V4, "pass"),
    ("5.6", "length 33", "v=spf1 ip4:192.0.2.3/33", V4, "permerror"),
    ("5.6", "a negative length", "v=spf1 ip4:192.0.2.3/-1", V4, "permerror"),
    ("5.6", "three numbers", "v=spf1 ip4:192.0.2", V4, "permerror"),
    ("5.6", "a port", "v=spf1 ip4:192.0.2.3:25", V4, "permerror"),
    ("5.6", "nothing", "v=spf1 ip4", V4, "permerror"),
    ("5.6", "an empty address", "v=spf1 ip4:", V4, "permerror"),
    ("5.6", "IPv6 behind ip4", "v=spf1 ip4:2001:db8::1", V4, "permerror"),
    ("5.6", "an IPv6 network", "v=spf1 ip6:2001:db8::/32 -all", V6, "pass"),
    ("5.6", "in capitals and long", "v=spf1 ip6:2001:0DB8:0:0:0:0:0:CAFE -all", V6, "pass"),
    ("5.6", "length 129", "v=spf1 ip6:2001:db8::/129", V6, "permerror"),
    ("5.6", "IPv4 behind ip6", "v=spf1 ip6:192.0.2.3", V6, "permerror"),
    ("5.6", "two double colons", "v=spf1 ip6:2001::db8::1", V6, "permerror"),
    ("5.6", "ip4 is not for IPv6 clients", "v=spf1 ip4:0.0.0.0/0 -all", V6, "fail"),
    ("5.6", "ip6 is not for IPv4 clients", "v=spf1 ip6:::/0 -all", V4, "fail"),
    ("5", "a mapped address is an IPv4 client", "v=spf1 ip4:192.0.2.3 -all", "::ffff:192.0.2.3", "pass"),
    ("5", "and not in an IPv6 network", "v=spf1 ip6:::ffff:192.0.2.0/120 -all", "::ffff:192.0.2.3", "fail"),
    // exists
    ("5.7", "it does", "v=spf1 exists:x.example -all|x.example A 127.0.0.2", V4, "pass"),
    ("5.7", "it does not", "v=spf1 exists:x.example -all", V4, "fail"),
    ("5.7", "AAAA alone is nothing", "v=spf1 exists:x.example -all|x.example AAAA 2001:db8::1", V4, "fail"),
    ("5.7", "A is asked for IPv6 clients too", "v=spf1 exists:x.example -all|x.example A 127.0.0.2", V6, "pass"),
    ("5.7", "a failure", "v=spf1 exists:x.example -all|x.example A !servfail", V4, "temperror"),
    ("5.7", "without a name", "v=spf1 exists", V4, "permerror"),
    ("5.7", "with a length", "v=spf1 exists:x.example/24 -all", V4, "permerror"),
    // Modifiers.
    ("6", "one that nobody knows", "v=spf1 moo=cow -all", V4, "fail"),
    ("6", "one with an empty value", "v=spf1 moo= -all", V4, "fail"),
    ("6", "one with a bad macro", "v=spf1 moo=%x -all", V4, "permerror"),
    ("6", "one of old drafts", "v=spf1 default=pass", V4, "neutral"),
    ("6", "a name with every sign that it may have", "v=spf1 moo.cow-far_out=man:dog/cat -all", V4, "fail"),
    ("6", "a name with a sign that it may not have", "v=spf1 moo+cow=x -all", V4, "permerror"),
    ("6", "without a name", "v=spf1 =x -all", V4, "permerror"),
    ("6", "a name that begins with a digit", "v=spf1 1moo=cow -all", V4, "permerror"),
    ("6.1", "on to another record", "v=spf1 redirect=b.example|b.example TXT v=spf1 ip4:192.0.2.3 -all", V4, "pass"),
    ("6.1", "its failure is the result", "v=spf1 redirect=b.example|b.example TXT v=spf1 -all", V4, "fail"),
    (
        "6.1",
        "not when something matched",
        "v=spf1 ?ip4:192.0.2.3 redirect=b.example|b.example TXT v=spf1 -all",
        V4,
        "neutral",
    ),
    ("6.1", "wherever it stands", "v=spf1 redirect=b.example ip4:192.0.2.3|b.example TXT v=spf1 -all", V4, "pass"),
    ("6.1", "never beside all", "v=spf1 redirect=b.example ?all|b.example TXT v=spf1 -all", V4, "neutral"),
    ("6.1", "to nothing", "v=spf1 redirect=b.example", V4, "permerror"),
    ("6.1", "to a mistake", "v=spf1 redirect=b.example|b.example TXT v=spf1 moo", V4, "permerror"),
    ("6.1", "to a failure", "v=spf1 redirect=b.example|b.example TXT !timeout", V4, "temperror"),
    ("6.1", "twice", "v=spf1 redirect=b.example redirect=b.example|b.example TXT v=spf1 +all", V4, "permerror"),
    ("6.1", "empty", "v=spf1 redirect=", V4, "permerror"),
    ("6.1", "to itself", "v=spf1 redirect=a.example", V4, "permerror"),
    ("6.1", "by a macro", "v=spf1 redirect=_spf.%{d}|_spf.a.example TXT v=spf1 +all", V4, "pass"),
    ("6.2", "twice", "v=spf1 exp=x.example exp=x.example -all", V4, "permerror"),
    ("6.2", "to nothing is no mistake", "v=spf1 exp=x.example -all", V4, "fail"),
    ("6.2", "empty", "v=spf1 exp= -all", V4, "permerror"),
    // Macros, seen by what exists.
    ("7.2", "the sender", "v=spf1 exists:%{s}.x.example -all|jane.doe@a.example.x.example A 127.0.0.2", V4, "pass"),
    ("7.2", "the local part", "v=spf1 exists:%{l}.x.example -all|jane.doe.x.example A 127.0.0.2", V4, "pass"),
    ("7.2", "the sender's domain", "v=spf1 exists:%{o}.x.example -all|a.example.x.example A 127.0.0.2", V4, "pass"),
    (
        "7.2",
        "the domain inside an include",
        "v=spf1 include:b.example -all|b.example TXT v=spf1 exists:%{d}.%{o}.x.example|b.example.a.example.x.example A 127.0.0.2",
        V4,
        "pass",
    ),
    ("7.2", "the address", "v=spf1 exists:%{i}.x.example -all|192.0.2.3.x.example A 127.0.0.2", V4, "pass"),
    (
        "7.2",
        "the address backwards",
        "v=spf1 exists:%{ir}.%{v}.x.example -all|3.2.0.192.in-addr.x.example A 127.0.0.2",
        V4,
        "pass",
    ),
    (
        "7.2",
        "an IPv6 address by nibbles",
        "v=spf1 exists:%{ir}.%{v}.x.example -all|e.f.a.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.x.example A 127.0.0.2",
        V6,
        "pass",
    ),
    ("7.2", "the greeting", "v=spf1 exists:%{h}.x.example -all|mail.client.example.x.example A 127.0.0.2", V4, "pass"),
    ("7.3", "the last labels", "v=spf1 exists:%{h2}.x.example -all|client.example.x.example A 127.0.0.2", V4, "pass"),
    (
        "7.3",
        "more labels than there are",
        "v=spf1 exists:%{d9}.x.example -all|a.example.x.example A 127.0.0.2",
        V4,
        "pass",
    ),
    ("7.3", "backwards", "v=spf1 exists:%{hr}.x.example -all|example.client.mail.x.example A 127.0.0.2", V4, "pass"),
    (
        "7.3",
        "backwards and then the last",
        "v=spf1 exists:%{h1r}.x.example -all|mail.x.example A 127.0.0.2",
        V4,
        "pass",
    ),
    ("7.3", "other delimiters", "v=spf1 exists:%{l-}.x.example -all|jane.doe.x.example A 127.0.0.2", V4, "pass"),
    ("7.3", "several delimiters", "v=spf1 exists:%{lr.-}.x.example -all|doe.jane.x.example A 127.0.0.2", V4, "pass"),
    (
        "7.3",
        "in capitals it is escaped",
        "v=spf1 exists:%{S}.x.example -all|jane.doe%40a.example.x.example A 127.0.0.2",
        V4,
        "pass",
    ),
    ("7.1", "a percent sign", "v=spf1 exists:%%.x.example -all|%.x.example A 127.0.0.2", V4, "pass"),
    ("7.1", "an escaped space", "v=spf1 exists:%-.x.example -all|%20.x.example A 127.0.0.2", V4, "pass"),
    ("7.1", "a bare percent sign", "v=spf1 exists:%.x.example -all", V4, "permerror"),
    ("7.1", "an open brace", "v=spf1 exists:%{d.x.example -all", V4, "permerror"),
    ("7.1", "a round bracket", "v=spf1 exists:%(d).x.example -all", V4, "permerror"),
    ("7.1", "no letter", "v=spf1 exists:%{}.x.example -all", V4, "permerror"),
    ("7.1", "a letter nobody knows", "v=spf1 exists:%{y}.x.example -all", V4, "permerror"),
    ("7.2", "the letters of explanations elsewhere", "v=spf1 exists:%{c}.x.example -all", V4, "permerror"),
    ("7.2", "the time elsewhere", "v=spf1 exists:%{t}.x.example -all", V4, "permerror"),
    ("7.3", "none of the labels", "v=spf1 exists:%{d0}.x.example -all", V4, "permerror"),
    ("7.3", "a delimiter that is none", "v=spf1 exists:%{d@}.x.example -all", V4, "permerror"),
    ("7.1", "a name that ends with a macro", "v=spf1 a:%{d} -all|a.example A 192.0.2.3", V4, "pass"),
    // Limits.
    ("4.6.4", "two voids", "v=spf1 a:v.example a:w.example +all", V4, "pass"),
    ("4.6.4", "three voids", "v=spf1 a:v.example a:w.example a:x.example +all", V4, "permerror"),
    ("4.6.4", "voids of all kinds", "v=spf1 a:v.example mx:w.example exists:x.example +all", V4, "permerror"),
    ("4.6.4", "a circle", "v=spf1 include:b.example|b.example TXT v=spf1 include:a.example", V4, "permerror"),
    (
        "4.6.4",
        "what costs nothing is not counted",
        "v=spf1 ip4:1.1.1.1 ip4:1.1.1.1 ip4:1.1.1.1 ip4:1.1.1.1 ip4:1.1.1.1 ip4:1.1.1.1 ip4:1.1.1.1 ip4:1.1.1.1 ip4:1.1.1.1 ip4:1.1.1.1 ip4:1.1.1.1 ip4:1.1.1.1 -all",
        V4,
        "fail",
    ),
];

#[tokio::test]
async fn every_rule_of_the_standard_has_the_result_that_it_says() {
    let mut wrong = Vec::new();
    for (section, what, rows, ip, expected) in RULES {
        let rows: String = rows
            .split('|')
            .map(|row| match row.split(' ').nth(1) {
                Some("TXT" | "A" | "AAAA" | "MX" | "PTR") => format!("{row}\n"),
                _ => format!("a.example TXT {row}\n"),
            })
            .collect();
        let request = Request {
            ip: ip.parse().unwrap(),
            domain: "a.example".to_owned(),
            sender: Some("jane.doe@a.example".to_owned()),
            helo: Some("mail.client.example".to_owned()),
            receiver: "mx.receiver.example".to_owned(),
            time: 1_700_000_000,
        };
        let result = evaluate(&Scripted::new(&rows), &request).await.result;
        if result.word() != *expected {
            wrong.push(format!("RFC 7208 {section}, {what}: {result} instead of {expected}\n{rows}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Names may hold what no host name has (RFC 7208 7.1): all three escapes at once.
#[tokio::test]
async fn escapes_of_a_name_are_asked_for_as_they_stand_for() {
    let mut zone = Scripted::new("a.example TXT v=spf1 a:m%%c%_%_s%-u.x.example -all");
    zone.add("m%c  s%20u.x.example", "A", "192.0.2.3");
    let request = Request {
        ip: V4.parse().unwrap(),
        domain: "a.example".to_owned(),
        sender: Some("jane.doe@a.example".to_owned()),
        helo: None,
        receiver: "mx.receiver.example".to_owned(),
        time: 1_700_000_000,
    };
    assert_eq!(evaluate(&zone, &request).await.result.word(), "pass");
}
