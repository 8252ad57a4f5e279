// Which scopes cover which product calls.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasScopeFor } from '../../../src/forge/product/scopes.ts'

test('reading needs a scope that reads, writing one that writes, of this product', () => {
  const cases = [
    [['read:jira-work'], 'jira', 'GET', '/rest/api/3/issue/A-1', true],
    [['read:jira-work'], 'jira', 'PUT', '/rest/api/3/issue/A-1', false],
    [['write:jira-work'], 'jira', 'PUT', '/rest/api/3/issue/A-1', true],
    [['read:jira-work'], 'jira', 'POST', '/rest/api/3/search/jql', true],
    [['read:jira-user'], 'jira', 'POST', '/rest/api/3/permissions/check', true],
    [['read:issue:jira'], 'jira', 'GET', '/rest/api/3/issue/A-1', true],
    [['write:issue:jira'], 'jira', 'POST', '/rest/api/3/issue', true],
    [['manage:jira-configuration'], 'jira', 'POST', '/rest/api/3/field', true],
    [['read:servicedesk-request'], 'jira', 'GET', '/rest/servicedeskapi/request', true],
    [['read:request:jira-service-management'], 'jira', 'GET', '/rest/servicedeskapi/request', true],
    [['read:confluence-content.all'], 'confluence', 'GET', '/wiki/rest/api/content', true],
    [['search:confluence'], 'confluence', 'GET', '/wiki/rest/api/search', true],
    [['search:confluence'], 'confluence', 'POST', '/wiki/rest/api/content', false],
    [['read:page:confluence'], 'jira', 'GET', '/rest/api/3/issue/A-1', false],
    [['read:jira-work'], 'confluence', 'GET', '/wiki/rest/api/content', false],
    [['read:repository:bitbucket'], 'bitbucket', 'GET', '/2.0/repositories/a/b', true],
    [['read:repository:bitbucket'], 'bitbucket', 'DELETE', '/2.0/repositories/a/b', false],
    [['storage:app'], 'jira', 'GET', '/rest/api/3/issue/A-1', false],
    [[], 'jira', 'GET', '/rest/api/3/myself', false],
  ] as const
  for (const [scopes, product, method, path, expected] of cases) {
    assert.equal(hasScopeFor(scopes, product, method, path), expected, `${scopes} ${method} ${path}`)
  }
})
