// A frame without an address of its own has that of its parent, so that a link to a place in the page would load the
// parent into the frame: go to the place without it.
if (location.protocol === "about:") {
  document.addEventListener("click", event => {
    const link = event.target.closest("nav a")
    if (!link) return
    event.preventDefault()
    const place = document.getElementById(link.getAttribute("href").slice(1))
    place.tabIndex = -1 // so that the keyboard goes on from there
    place.focus({preventScroll: true})
    place.scrollIntoView()
  })
}
