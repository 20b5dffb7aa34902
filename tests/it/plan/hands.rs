//! Plans so large that several hands make them.

use std::thread;

use rehome::plan::Plan;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::world::{World, a, account_view};

/// From so many accounts on a plan is made by two hands, where there are two processors.
const ACCOUNTS: usize = 2_100;

/// Accounts that move with their aliases, and others that are there already and trade aliases across all shares.
fn large() -> World {
    let mut world = World::swap();
    for n in 0..ACCOUNTS {
        let local = format!("u{n:04}");
        let other = (n + ACCOUNTS / 2) % ACCOUNTS;
        let there = n % 3 == 0;
        world = world.wants(&local);
        let aliases = match n % 2 {
            0 => vec![a(&format!("x{other}")), a(&format!("new{n}"))],
            _ => vec![a(&format!("x{n}"))],
        };
        world.account(&local).aliases = Some(aliases.into_iter().collect());
        let platform = if there { "new" } else { "old" };
        let mut seen = account_view();
        seen.aliases.insert(a(&format!("x{n}")));
        world.view(platform).accounts.insert(a(&local), seen);
        world.slot(&format!("extra{n:04}@configureme.me"), None);
    }
    world
}

fn alone(world: &World) -> Plan {
    let world = world.clone();
    let work = move || {
        let all = sched_getaffinity(None).unwrap();
        let mut one = CpuSet::new();
        one.set((0..CpuSet::MAX_CPU).find(|cpu| all.is_set(*cpu)).unwrap());
        sched_setaffinity(None, &one).unwrap();
        assert_eq!(thread::available_parallelism().unwrap().get(), 1);
        world.plan()
    };
    thread::spawn(work).join().unwrap()
}

#[test]
fn a_plan_is_the_same_however_many_hands_make_it() {
    let world = large();
    let (many, one) = (world.plan(), alone(&world));
    assert_eq!(many.id, one.id);
    assert!(many == one, "the plans differ in what the id leaves out");
    let taken = many.body.actions.iter().filter(|action| action.id.as_str().starts_with("alias.remove:")).count();
    assert!(taken > ACCOUNTS / 4, "{taken} aliases change hands");
}
