// Listens for printings of the book: reloads the page after one, and shows why one failed.
(address => {
    const source = new EventSource(address);
    source.onmessage = () => location.reload();
    source.addEventListener('fault', event => {
        let banner = document.getElementById('press-fault');
        if (!banner) {
            banner = document.createElement('div');
            banner.id = 'press-fault';
            banner.setAttribute('role', 'alert');
            banner.style.cssText = 'position: fixed; inset: auto 0 0 0; z-index: 1000; max-height: 50vh; overflow: auto;'
                + 'padding: 1em; background: #a11500; color: #fff; font: 14px/1.5 monospace; white-space: pre-wrap';
            document.body.append(banner);
        }
        banner.textContent = 'The page is older than its source, which cannot be printed:\n' + JSON.parse(event.data);
    });
})
