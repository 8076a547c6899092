//! Futures that are boxed for each request.

use std::pin::Pin;

/// Pins what `make` returns in a box that exists before it.
///
/// `Box::pin(make())` makes the value first, on the stack: should the allocation unwind, it would have
/// to be dropped there. So the whole of it is copied afterwards, some kilobytes for a request's future
/// of which only the arguments are initialized. Here the compiler writes these where they stay.
#[inline]
pub fn in_place<T>(make: impl FnOnce() -> T) -> Pin<Box<T>> {
    let place = Box::new_uninit();
    Box::into_pin(Box::write(place, make()))
}
