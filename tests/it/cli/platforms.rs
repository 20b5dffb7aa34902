//! Platforms that do not answer as they should: the message says which, what it answered, and what to do.

use insta::assert_snapshot;
use rehome::sandbox::{
    api::{FaultKind, When, world::Rule},
    dns,
    residents::EMAIL_PRO,
};

use crate::world::World;

#[test]
fn html_instead_of_json_is_quoted_with_the_call() {
    let world = World::demo();
    let path = format!("/email/pro/{EMAIL_PRO}");
    world.fails("GET", &path, FaultKind::Html, When::Before);
    assert_snapshot!(world.run(&["plan", "rehome.yaml"]).ends(12), @r"
    $ rehome plan rehome.yaml
    --- stderr
    error: reading emailpro
      GET /email/pro/emailpro-ab12345-1: answered 200 with a body that is not JSON: `<html><body><h1>It works, somewhere else</h1></body></html>` (query [QUERY])
    help: check the network and the endpoint; running it again is safe
    --- exit 12
    ");
}

#[test]
fn half_an_answer_is_no_answer() {
    let world = World::demo();
    let path = format!("/email/pro/{EMAIL_PRO}");
    world.fails("GET", &path, FaultKind::HalfJson, When::After);
    assert_snapshot!(world.run(&["plan", "rehome.yaml"]).ends(12), @r#"
    $ rehome plan rehome.yaml
    --- stderr
    error: reading emailpro
      GET /email/pro/emailpro-ab12345-1: answered 200 with a body that is not JSON: `{"complexityEnabled":true,"displayName":null,"domain":"green.example","hostname"...` (query [QUERY])
    help: check the network and the endpoint; running it again is safe
    --- exit 12
    "#);
}

#[test]
fn a_listing_that_fails_is_a_gap_and_never_an_empty_service() {
    let world = World::demo();
    let listing = format!("/email/pro/{EMAIL_PRO}/account");
    world.fails("GET", &listing, FaultKind::Status { code: 500, retry_after: None }, When::After);
    let ran = world.run(&["plan", "rehome.yaml"]);
    assert_snapshot!(ran, @r#"
    $ rehome plan rehome.yaml
    Plan [ID]   blue.example (swap)
    5 actions.

    Domains
      +  add domain       blue.example  on emailpro, non-authoritative, relay mx1.mail.ovh.net
      |  wait for domain  blue.example  until emailpro accepts it

    Addresses and rights
      +  add contact  desk@partner.example
                      name "Partner Desk", first name "Partner", last name "Desk", on emailpro
      ~  set footer   blue.example          on emailpro

    Verification
      ?  verify DNS  blue.example  mx, spf, dmarc, autodiscover for emailpro

    Blocked
      incomplete-listing
        emailpro: accounts of Email Pro `emailpro` could not be read completely (GET
        /email/pro/emailpro-ab12345-1/account answered 500 Server::Injected: a fault was asked for
        (query [QUERY])), so nobody can say what is missing (stops 3 addresses)
        > solve that and plan again

    Does not move
      group-not-in-spec
        blue.example: 1 group on Exchange not in the spec
        > Email Pro `emailpro` has none: mail to each ends with the old platform, unless a platform that
          has groups takes it over
          team@blue.example with jane.doe@blue.example, john.smith@blue.example, desk@partner.example
      redirection-not-in-spec
        blue.example: 1 redirection on Exchange not in the spec
        > Email Pro `emailpro` takes none through its interface: make inbox rules in its webmail
          max.weber@blue.example to desk@partner.example, with a copy kept

    No point of no return.
    Undo: 3 can be taken back by rehome.
    Total: 2 create, 1 update, 1 verify, 1 wait.
    --- exit 0
    "#);
}

#[test]
fn a_missing_right_is_named_as_the_rule_to_grant() {
    let world = World::demo();
    let rules = ["GET", "POST", "PUT", "DELETE"].map(|verb| Rule::new(verb, "/email/exchange/*"));
    world.edit(|w| {
        let consumer = w.keys.consumer.clone();
        w.credentials.get_mut(&consumer).unwrap().rules = rules.to_vec();
    });
    assert_snapshot!(world.run(&["plan", "rehome.yaml"]).ends(11), @r"
    $ rehome plan rehome.yaml
    --- stderr
    error: reading emailpro
      GET /email/pro/emailpro-ab12345-1 answered 403 NOT_GRANTED_CALL: This call has not been granted (query [QUERY])
    help: make a consumer key that grants `GET /email/pro/emailpro-ab12345-1`; `/email/*` covers all that rehome asks for
    --- exit 11
    ");
}

#[test]
fn a_key_that_nobody_knows_says_so() {
    let world = World::demo();
    world.set("OVH_CONSUMER_KEY", "0000000000000000000000000000dead");
    assert_snapshot!(world.run(&["plan", "rehome.yaml"]).ends(11), @r"
    $ rehome plan rehome.yaml
    --- stderr
    error: 2 platforms cannot be read
      reading emailpro: GET /email/pro/emailpro-ab12345-1 answered 403 INVALID_CREDENTIAL: This credential does not exist (query [QUERY])
      reading exchange: GET /email/exchange/hosted-ab12345-1/service/hosted-ab12345-1 answered 403 INVALID_CREDENTIAL: This credential does not exist (query [QUERY])
    help: the consumer key is not valid or not yet validated: make a new one
    --- exit 11
    ");
}

#[test]
fn a_service_that_is_not_there_comes_with_those_that_are() {
    let world = World::demo();
    world.respec("service: emailpro-ab12345-1", "service: emailpro-ab12345-9");
    assert_snapshot!(world.run(&["plan", "rehome.yaml"]).ends(1), @r"
    $ rehome plan rehome.yaml
    --- stderr
    error: reading emailpro
      there is no service at /email/pro/emailpro-ab12345-9
    help: these credentials see: emailpro-ab12345-1
    --- exit 1
    ");
}

#[test]
fn an_expired_service_says_what_to_renew() {
    let world = World::demo();
    world.edit_hosted(EMAIL_PRO, |service| service.expired = true);
    assert_snapshot!(world.run(&["plan", "rehome.yaml"]), @r"
    $ rehome plan rehome.yaml
    Plan [ID]   blue.example (swap)
    Nothing can be done as things are; the reasons are below.

    Blocked
      incomplete-listing
        emailpro: accounts of Email Pro `emailpro` could not be read completely (GET
        /email/pro/emailpro-ab12345-1 answered 460 Client::Expired: This service is expired (query
        [QUERY])), so nobody can say what is missing (stops 4 addresses)
        > solve that and plan again
      service-unavailable
        emailpro: Email Pro `emailpro` takes no changes now (expired) (stops 1 address)
        > renew the service, and plan again

    Does not move
      group-not-in-spec
        blue.example: 1 group on Exchange not in the spec
        > Email Pro `emailpro` has none: mail to each ends with the old platform, unless a platform that
          has groups takes it over
          team@blue.example with jane.doe@blue.example, john.smith@blue.example, desk@partner.example
      redirection-not-in-spec
        blue.example: 1 redirection on Exchange not in the spec
        > Email Pro `emailpro` takes none through its interface: make inbox rules in its webmail
          max.weber@blue.example to desk@partner.example, with a copy kept
    --- exit 1
    ");
}

#[test]
fn an_api_that_is_not_there_is_unreachable() {
    let world = World::demo();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    world.set("OVH_ENDPOINT", &format!("http://127.0.0.1:{port}/1.0"));
    assert_snapshot!(world.run(&["plan", "rehome.yaml"]).ends(12), @r"
    $ rehome plan rehome.yaml
    --- stderr
    error: 2 platforms cannot be read
      reading emailpro: GET /auth/time: no connection to 127.0.0.1:[PORT]: Connection refused (os error 111)
      reading exchange: GET /auth/time: no connection to 127.0.0.1:[PORT]: Connection refused (os error 111)
    help: check the network and the endpoint; running it again is safe
    --- exit 12
    ");
}

#[test]
fn dns_that_does_not_answer_is_unknown_and_not_missing() {
    let world = World::demo();
    world.sandbox().zones().fail("blue.example", Some(dns::Fault::ServFail));
    world.run(&["plan", "rehome.yaml", "--no-dns"]).ends(0);
    let verify = world.run(&["verify", "rehome.yaml", "--what", "dns"]).ends(12);
    assert_snapshot!(verify, @r"
    $ rehome verify rehome.yaml --what dns
    DNS of blue.example
      unknown _autodiscover._tcp.blue.example SRV: no server could tell the SRV records of
              _autodiscover._tcp.blue.example (dns-unknown)
                found    127.0.0.1:[PORT]: it failed to answer (SERVFAIL)
                fix      ask again later; as long as it is unknown, nothing is concluded from it
                rule     RFC 2308 7
      unknown _dmarc.blue.example TXT: no server could tell the TXT records of _dmarc.blue.example
              (dns-unknown)
                found    127.0.0.1:[PORT]: it failed to answer (SERVFAIL)
                fix      ask again later; as long as it is unknown, nothing is concluded from it
                rule     RFC 2308 7
      unknown autodiscover.blue.example A: no server could tell the A records of
              autodiscover.blue.example (dns-unknown)
                found    127.0.0.1:[PORT]: it failed to answer (SERVFAIL)
                fix      ask again later; as long as it is unknown, nothing is concluded from it
                rule     RFC 2308 7
      unknown autodiscover.blue.example CNAME: no server could tell the CNAME records of
              autodiscover.blue.example (dns-unknown)
                found    127.0.0.1:[PORT]: it failed to answer (SERVFAIL)
                fix      ask again later; as long as it is unknown, nothing is concluded from it
                rule     RFC 2308 7
      unknown blue.example MX: no server could tell the MX records of blue.example (dns-unknown)
                found    127.0.0.1:[PORT]: it failed to answer (SERVFAIL)
                fix      ask again later; as long as it is unknown, nothing is concluded from it
                rule     RFC 2308 7
      unknown blue.example TXT: no server could tell the TXT records of blue.example (dns-unknown)
                found    127.0.0.1:[PORT]: it failed to answer (SERVFAIL)
                fix      ask again later; as long as it is unknown, nothing is concluded from it
                rule     RFC 2308 7
      records (+ publish, - not the platform's, = as wanted, ? unknown)
        ? blue.example MX 1 mx0.mail.ovh.net
        ? blue.example MX 5 mx1.mail.ovh.net
        ? blue.example MX 50 mx2.mail.ovh.net
        ? blue.example MX 100 mx3.mail.ovh.net
        ? blue.example MX 200 mx4.mail.ovh.net
        ? blue.example TXT v=spf1 include:mx.ovh.com ~all

    Total: 6 unknown.
    --- exit 12
    ");
    assert!(!verify.out.contains("missing"), "{verify}");
}

#[test]
fn dns_that_is_silent_ends_in_bounded_time() {
    let world = World::demo();
    world.sandbox().zones().fail("blue.example", Some(dns::Fault::Silent));
    let verify = world.run(&["verify", "rehome.yaml", "--what", "dns"]).ends(12);
    assert!(verify.out.contains("did not answer") || verify.out.contains("no answer"), "{verify}");
}

#[test]
fn a_variable_of_ours_that_makes_no_sense_is_named() {
    let world = World::demo();
    world.set("REHOME_IMAP_EXCHANGE", "imap://user:secret-word@127.0.0.1");
    let ran = world.run(&["plan", "rehome.yaml"]).ends(10);
    assert!(!ran.err.contains("secret-word"));
    assert_snapshot!(ran, @r"
    $ rehome plan rehome.yaml
    --- stderr
    error: REHOME_IMAP_EXCHANGE: a password must not stand in an URL: give it by reference
    --- exit 10
    ");
    world.set("REHOME_IMAP_EXCHANGE", "imap://127.0.0.1:1");
    world.set("REHOME_DNS_SERVERS", "dns.example");
    assert_snapshot!(world.run(&["plan", "rehome.yaml"]).ends(10), @r"
    $ rehome plan rehome.yaml
    --- stderr
    error: REHOME_DNS_SERVERS: `dns.example` is not an address
    help: give address or address:port, separated by commas
    --- exit 10
    ");
}
