# Makes a repository of RPMs in a Debian root that has rpm, dnf and zypper. Each package tries one thing.
set -eux
apt-get install -y --no-install-recommends dnf rpm createrepo-c zypper libcap2-bin systemd
apt-get clean
mkdir -p /repo /root/specs /etc/yum.repos.d

# NAME VERSION, then the rest of the spec on standard input.
package() {
  {
    printf 'Name: %s\nVersion: %s\nRelease: 1\nSummary: %s\nLicense: MIT\nAutoReqProv: no\n' "$1" "$2" "$1"
    cat
  } > "/root/specs/$1-$2.spec"
  rpmbuild -bb --quiet --define '_rpmdir /repo' "/root/specs/$1-$2.spec"
}

# What the packages' scripts need and Debian's own packages have.
package base 1 <<'S'
Provides: /bin/sh
%description
.
%files
S

for version in 1 2; do
  package order $version <<'S'
Requires(pre): base
%description
.
%install
mkdir -p %{buildroot}/opt/order
echo %{version} > %{buildroot}/opt/order/version
%pre
echo "pre $1" >> /var/log/order
%post
echo "post $1" >> /var/log/order
%preun
echo "preun $1" >> /var/log/order
%postun
echo "postun $1" >> /var/log/order
%posttrans
echo "posttrans $1" >> /var/log/order
%files
/opt/order
S
  package settings $version <<'S'
%description
.
%install
mkdir -p %{buildroot}/etc
echo "of package %{version}" > %{buildroot}/etc/settings.conf
%files
%config(noreplace) /etc/settings.conf
S
done

package capabilities 1 <<'S'
%description
.
%install
mkdir -p %{buildroot}/usr/bin
cp /bin/sleep %{buildroot}/usr/bin/capable
cp /bin/sleep %{buildroot}/usr/bin/privileged
%files
%caps(cap_net_raw,cap_net_bind_service=ep) %attr(0755,root,root) /usr/bin/capable
%attr(4755,root,root) /usr/bin/privileged
S

package links 1 <<'S'
%description
.
%install
mkdir -p %{buildroot}/opt/links
echo one > %{buildroot}/opt/links/one
ln %{buildroot}/opt/links/one %{buildroot}/opt/links/two
ln -s one %{buildroot}/opt/links/three
%files
/opt/links
S

package service 1 <<'S'
Requires(post): base
%description
.
%install
mkdir -p %{buildroot}/lib/systemd/system
printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' > %{buildroot}/lib/systemd/system/hostile.service
%post
set -e
systemctl daemon-reload
systemctl enable hostile.service
systemctl restart hostile.service
%preun
systemctl stop hostile.service
systemctl disable hostile.service
%files
/lib/systemd/system/hostile.service
S

package account 1 <<'S'
Requires(pre): base
%description
.
%install
mkdir -p %{buildroot}/var/lib/account
%pre
getent group account > /dev/null || groupadd -r account
getent passwd account > /dev/null || useradd -r -g account -d /var/lib/account -s /usr/sbin/nologin account
%files
%dir %attr(0750,account,account) /var/lib/account
S

package resolver 1 <<'S'
Requires(posttrans): base
%description
.
%posttrans
ln -sf ../run/resolver/resolv.conf /etc/resolv.conf
%files
S

package daemon 1 <<'S'
Requires(post): base
%description
.
%post
setsid sleep 300 > /dev/null 2>&1 < /dev/null &
%files
S

package failing 1 <<'S'
Requires(pre): base
%description
.
%pre
echo "this package refuses" >&2
exit 1
%files
S

package lua 1 <<'S'
%description
.
%post -p <lua>
local file = io.open("/opt/from-lua", "w")
file:write("lua\n")
file:close()
%files
S

package triggering 1 <<'S'
Requires(post): base
%description
.
%transfiletriggerin -- /opt/links
while read name; do echo "$name" >> /var/log/triggered; done
%files
S

package large 1 <<'S'
%description
.
%install
mkdir -p %{buildroot}/opt/large
for i in $(seq 3000); do echo $i > %{buildroot}/opt/large/$i; done
truncate -s 64M %{buildroot}/opt/large/holes
%files
/opt/large
S

find /repo -name '*.rpm' -mindepth 2 -exec mv -t /repo {} +
createrepo_c --quiet /repo
printf '[local]\nname=local\nbaseurl=file:///repo\ngpgcheck=0\nenabled=1\n' > /etc/yum.repos.d/local.repo
zypper --non-interactive addrepo --no-gpgcheck file:///repo local
printf 'releasever=1\nassumeyes=True\n' >> /etc/dnf/dnf.conf
cat /etc/dnf/dnf.conf
ls /repo
