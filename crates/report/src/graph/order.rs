//! In which order the rows of a layered graph stand so that few edges cross, and where exactly.

/// One row of one column: a job, or a place that a long edge passes through.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    /// Its column.
    pub(super) column: usize,
    /// How much room it takes, the gap to the next included.
    pub(super) height: f64,
}

/// How often the columns are gone through, there and back.
const SWEEPS: usize = 8;

/// The middle of each item, from 0 downwards; items of one column never overlap.
///
/// `links` join items of neighbouring columns, left to right. The order within a column follows the mean place of the neighbours
/// (barycentre); then each column is put as near to its neighbours as the order and the heights allow. Linear in links per sweep.
pub(super) fn middles(items: &[Item], links: &[(usize, usize)]) -> Vec<f64> {
    let columns = items.iter().map(|item| item.column + 1).max().unwrap_or(0);
    let mut order: Vec<Vec<usize>> = vec![Vec::new(); columns];
    for (at, item) in items.iter().enumerate() {
        order[item.column].push(at);
    }
    let mut left: Vec<Vec<usize>> = vec![Vec::new(); items.len()];
    let mut right: Vec<Vec<usize>> = vec![Vec::new(); items.len()];
    for (from, to) in links {
        right[*from].push(*to);
        left[*to].push(*from);
    }
    let mut middles = stacked(items, &order);
    for _ in 0..SWEEPS {
        for column in &mut order {
            sort(column, &left, &mut middles, items);
        }
        for column in order.iter_mut().rev() {
            sort(column, &right, &mut middles, items);
        }
    }
    for _ in 0..SWEEPS {
        for column in &order {
            place(column, &left, &mut middles, items);
        }
        for column in order.iter().rev() {
            place(column, &right, &mut middles, items);
        }
    }
    let tops = items
        .iter()
        .zip(&middles)
        .map(|(item, middle)| middle - item.height / 2.0);
    let top = tops.fold(f64::INFINITY, f64::min);
    middles.iter().map(|middle| middle - top).collect()
}

/// Everything packed from the top.
fn stacked(items: &[Item], order: &[Vec<usize>]) -> Vec<f64> {
    let mut middles = vec![0.0; items.len()];
    for column in order {
        stack(column, items, &mut middles);
    }
    middles
}

fn stack(column: &[usize], items: &[Item], middles: &mut [f64]) {
    let mut top = 0.0;
    for at in column {
        middles[*at] = top + items[*at].height / 2.0;
        top += items[*at].height;
    }
    // Columns share their middle, so that short ones face the middle of long ones.
    for at in column {
        middles[*at] -= top / 2.0;
    }
}

fn mean(neighbours: &[usize], middles: &[f64]) -> Option<f64> {
    let sum: f64 = neighbours.iter().map(|at| middles[*at]).sum();
    (!neighbours.is_empty()).then(|| sum / neighbours.len() as f64)
}

/// Orders a column by where its neighbours are; items without neighbours keep their place.
fn sort(column: &mut [usize], neighbours: &[Vec<usize>], middles: &mut [f64], items: &[Item]) {
    let mut wanted: Vec<(f64, usize)> = column
        .iter()
        .map(|at| (mean(&neighbours[*at], middles).unwrap_or(middles[*at]), *at))
        .collect();
    wanted.sort_by(|left, right| left.0.total_cmp(&right.0));
    for (slot, (_, at)) in column.iter_mut().zip(wanted) {
        *slot = at;
    }
    stack(column, items, middles);
}

/// Moves a column's items as near to their neighbours as the order allows: the least sum of squares, by pooling items that
/// would overlap.
fn place(column: &[usize], neighbours: &[Vec<usize>], middles: &mut [f64], items: &[Item]) {
    // Pools of (sum of wanted offsets, items in it); offsets are what is wanted less the room of all items above.
    let mut pools: Vec<(f64, usize)> = Vec::new();
    let mut above = 0.0;
    let mut rooms = Vec::with_capacity(column.len());
    for at in column {
        let room = above + items[*at].height / 2.0;
        above += items[*at].height;
        rooms.push(room);
        let wanted = mean(&neighbours[*at], middles).unwrap_or(middles[*at]);
        pools.push((wanted - room, 1));
        while let [.., before, last] = pools[..] {
            if before.0 / before.1 as f64 <= last.0 / last.1 as f64 {
                break;
            }
            pools.truncate(pools.len() - 2);
            pools.push((before.0 + last.0, before.1 + last.1));
        }
    }
    let offsets = pools
        .iter()
        .flat_map(|(sum, count)| std::iter::repeat_n(sum / *count as f64, *count));
    for ((at, room), offset) in column.iter().zip(rooms).zip(offsets) {
        middles[*at] = room + offset;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(column: usize) -> Item {
        Item {
            column,
            height: 10.0,
        }
    }

    #[test]
    fn crossing_edges_are_untangled() {
        let items = [item(0), item(0), item(1), item(1)];
        let middles = middles(&items, &[(0, 3), (1, 2)]);
        assert_eq!(middles[0] < middles[1], middles[3] < middles[2]);
    }

    #[test]
    fn a_lone_item_stands_beside_its_neighbour() {
        let items = [item(0), item(0), item(0), item(1)];
        let middles = middles(&items, &[(1, 3)]);
        assert!((middles[1] - middles[3]).abs() < 0.01, "{middles:?}");
    }
}
