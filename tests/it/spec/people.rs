//! Accounts from tables.

use rehome::{
    model::{Address, Delivery, PasswordSource, SecretRef},
    spec::{self, SourcePassword},
};

use super::{BASE, refused_files};

fn with_table(block: &str, table: &str) -> String {
    refused_files(&[("spec.yaml", &format!("{BASE}accounts_from: {block}\n")), ("people.csv", table)])
}

#[test]
fn a_row_is_the_block_it_stands_for() {
    let table = "\u{feff}address;name;quota;aliases;hidden;skip;source_password_env;password_file\r\n\
                 ann@mydomain.ovh;\"Miller; Ann\";5 GB;a@mydomain.ovh b@mydomain.ovh;yes;;ANN_OLD;s/ann\r\n\
                 \r\n\
                 bob@mydomain.ovh;;;;;true;;\r\n";
    let files = [("spec.yaml", &*format!("{BASE}accounts_from: {{ csv: people.csv }}\n")), ("people.csv", table)];
    let spec = spec::parse_files(&files).map_err(|p| p.render(false, 100)).unwrap().spec;
    let ann = &spec.accounts[&Address::parse("ann@mydomain.ovh").unwrap()];
    assert_eq!(ann.profile.display_name.as_deref(), Some("Miller; Ann"));
    assert_eq!(ann.profile.quota_octets, Some(5 << 30));
    assert_eq!(ann.profile.hidden, Some(true));
    assert_eq!(ann.aliases.as_ref().map(|a| a.len()), Some(2));
    assert_eq!(ann.password, Some(PasswordSource::Generate(Delivery::File("s/ann".into()))));
    assert_eq!(ann.mail.source_password, Some(SourcePassword::Given(SecretRef::Env("ANN_OLD".into()))));
    assert!(spec.accounts[&Address::parse("bob@mydomain.ovh").unwrap()].mail.skip);
}

#[test]
fn problems_point_into_the_table() {
    insta::assert_snapshot!(
        with_table(
            "{ csv: people.csv }",
            "address,name,quota,nmae\nann@mydomain.ovh,Ann,lots,x\nnobody,\"No, body\",,\n,Nemo,,\nann@mydomain.ovh,Ann,,\n"
        ),
        @r#"
    spec::ignored-column

      ⚠ the column `nmae` is ignored
       ╭─[people.csv:1:20]
     1 │ address,name,quota,nmae
       ·                    ──┬─
       ·                      ╰── unknown header
     2 │ ann@mydomain.ovh,Ann,lots,x
       ╰────
      help: did you mean `name`? Other columns are ignored once `columns:` names those that count

    spec::bad-quota

      × `lots` is not a size
       ╭─[people.csv:2:22]
     1 │ address,name,quota,nmae
     2 │ ann@mydomain.ovh,Ann,lots,x
       ·                      ──┬─
       ·                        ╰── not a size
     3 │ nobody,"No, body",,
       ╰────
      help: write a number and a unit: `10 GB`, `1.5 GB`, `500 MB`

    spec::bad-address

      × `nobody` is not a mail address: it needs the form local@domain
       ╭─[people.csv:3:1]
     2 │ ann@mydomain.ovh,Ann,lots,x
     3 │ nobody,"No, body",,
       · ───┬──
       ·    ╰── not an address
     4 │ ,Nemo,,
       ╰────

    spec::bad-table

      × a row has no address
       ╭─[people.csv:4:1]
     3 │ nobody,"No, body",,
     4 │ ,Nemo,,
       · ───┬───
       ·    ╰── this row
     5 │ ann@mydomain.ovh,Ann,,
       ╰────

    spec::duplicate-entry

      × the account `ann@mydomain.ovh` is declared twice
       ╭─[people.csv:2:1]
     1 │ address,name,quota,nmae
     2 │ ann@mydomain.ovh,Ann,lots,x
       · ────────┬───────
       ·         ╰── first here
     3 │ nobody,"No, body",,
     4 │ ,Nemo,,
     5 │ ann@mydomain.ovh,Ann,,
       · ────────┬───────
       ·         ╰── again here
       ╰────
      help: keep one of them; upper and lower case, and the spellings of a domain, make no difference
    "#
    );
}

#[test]
fn columns_are_mapped_by_name() {
    insta::assert_snapshot!(with_table("{ csv: people.csv, columns: { address: Mail, nmae: Name } }", "E-Mail,Name\n"), @r#"
    spec::bad-table

      × the table has no column of addresses
       ╭─[people.csv:1:1]
     1 │ E-Mail,Name
       · ─────┬─────
       ·      ╰── the headers
       ╰────
      help: name a column `address`, or say which one it is: `columns: { address: E-Mail }`

    spec::bad-table

      × the table has no column `Mail`
        ╭─[spec.yaml:10:55]
      9 │   mail: { source_password: { env: "OLD_{local}" } }
     10 │ accounts_from: { csv: people.csv, columns: { address: Mail, nmae: Name } }
        ·                                                       ──┬─
        ·                                                         ╰── no such header
        ╰────

    spec::unknown-key

      × a table of accounts has no key `nmae`
        ╭─[spec.yaml:10:61]
      9 │   mail: { source_password: { env: "OLD_{local}" } }
     10 │ accounts_from: { csv: people.csv, columns: { address: Mail, nmae: Name } }
        ·                                                             ──┬─
        ·                                                               ╰── unknown key
        ╰────
      help: did you mean `name`?
    "#);
}

#[test]
fn a_table_that_is_missing_or_empty_is_named() {
    insta::assert_snapshot!(with_table("[{ csv: nowhere.csv }, { csv: people.csv }, {}, { csv: people.csv, delimiter: long }]", ""), @r#"
    spec::empty

      × the table is empty
       ╭─[people.csv:1:1]
       ╰────
      help: the first line names the columns: `address,name,quota`

    spec::unreadable

      × `nowhere.csv` cannot be read: there is no such file
        ╭─[spec.yaml:10:24]
      9 │   mail: { source_password: { env: "OLD_{local}" } }
     10 │ accounts_from: [{ csv: nowhere.csv }, { csv: people.csv }, {}, { csv: people.csv, delimiter: long }]
        ·                        ─────┬─────
        ·                             ╰── named here
        ╰────

    spec::missing-field

      × `accounts_from` names no table
        ╭─[spec.yaml:10:60]
      9 │   mail: { source_password: { env: "OLD_{local}" } }
     10 │ accounts_from: [{ csv: nowhere.csv }, { csv: people.csv }, {}, { csv: people.csv, delimiter: long }]
        ·                                                            ┬
        ·                                                            ╰── here
        ╰────
      help: say which: `accounts_from: { csv: people.csv }`

    spec::bad-table

      × a delimiter is one character
        ╭─[spec.yaml:10:94]
      9 │   mail: { source_password: { env: "OLD_{local}" } }
     10 │ accounts_from: [{ csv: nowhere.csv }, { csv: people.csv }, {}, { csv: people.csv, delimiter: long }]
        ·                                                                                              ──┬─
        ·                                                                                                ╰── here
        ╰────
      help: such as `;`
    "#);
}

#[test]
fn a_person_in_the_table_and_in_the_file_is_declared_twice() {
    let shown = with_table("{ csv: people.csv }\naccounts: { ann@mydomain.ovh: Ann }", "address\nAnn@mydomain.ovh\n");
    insta::assert_snapshot!(shown, @"
    spec::duplicate-entry

      × the account `Ann@mydomain.ovh` is declared twice
       ╭─[people.csv:2:1]
     1 │ address
     2 │ Ann@mydomain.ovh
       · ────────┬───────
       ·         ╰── again here
       ╰────
      help: keep one of them; upper and lower case, and the spellings of a domain, make no difference

    Error: 
      × the other place
        ╭─[spec.yaml:11:13]
     10 │ accounts_from: { csv: people.csv }
     11 │ accounts: { ann@mydomain.ovh: Ann }
        ·             ────────┬───────
        ·                     ╰── first here
        ╰────
    ");
}

#[test]
fn a_row_with_too_many_fields_is_refused() {
    insta::assert_snapshot!(with_table("{ csv: people.csv }", "address,name\nann@mydomain.ovh,Miller, Ann\n"), @"
    spec::bad-table

      × a row has 3 fields, and there are 2 headers
       ╭─[people.csv:2:1]
     1 │ address,name
     2 │ ann@mydomain.ovh,Miller, Ann
       · ──────────────┬─────────────
       ·               ╰── this row
       ╰────
      help: put text that holds the delimiter in quotes
    ");
}

#[test]
fn a_column_of_passwords_that_is_not_read_is_hidden_too() {
    let columns = "{ csv: people.csv, columns: { address: Mail } }";
    let shown = with_table(columns, "Mail,Password,quota\nann@mydomain.ovh,hunter2,lots\n");
    assert!(!shown.contains("hunter2") && shown.contains("lots"), "{shown}");
}
